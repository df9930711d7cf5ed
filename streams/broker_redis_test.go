package streams_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"runnel/streams"
	"runnel/streams/streamstest"
)

func TestBrokerOnRedis(t *testing.T) {
	t.Parallel()
	server := streamstest.StartRedis(t)
	plain := plainClient(t, server)
	streamstest.RunBroker(t, func(t *testing.T) streams.Log {
		if err := plain.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		return openRedis(t, server)
	})
}

// TestIDOrderIsRedisOrder: a Stream takes IDs in the order of Compare, and in
// no other.
func TestIDOrderIsRedisOrder(t *testing.T) {
	plain := plainClient(t, streamstest.StartRedis(t))
	rapid.Check(t, func(rt *rapid.T) {
		plain.Del(t.Context(), "ids")
		ids := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) streams.ID {
			return streams.ID{Ms: rapid.Uint64Range(0, 1<<40).Draw(rt, "ms"), N: rapid.Uint64Range(0, 1<<62-1).Draw(rt, "n")}
		}), 2, 20).Draw(rt, "ids")
		ids = append(ids, streams.ID{Ms: ids[0].Ms, N: ids[1].N})
		ids = slices.DeleteFunc(ids, streams.ID.IsZero)
		slices.SortFunc(ids, streams.ID.Compare)
		ids = slices.Compact(ids)
		take := func(id streams.ID) error {
			return plain.XAdd(t.Context(), &redis.XAddArgs{Stream: "ids", ID: id.String(), Values: []string{"a", "b"}}).Err()
		}
		for i, id := range ids {
			if err := take(id); err != nil {
				rt.Fatalf("%v: %v", id, err)
			}
			if i > 0 && take(ids[i-1]) == nil {
				rt.Fatalf("%v was taken after %v", ids[i-1], id)
			}
		}
	})
}

// byHand is a broker over a Redis that somebody meddles with.
type byHand struct {
	t       *testing.T
	plain   *redis.Client
	options streams.BrokerOptions
	broker  *streams.Broker
}

const handLog, handHead = "runnel:{a}:log", "runnel:{a}:head"

func newByHand(t *testing.T, o streams.BrokerOptions) *byHand {
	server := streamstest.StartRedis(t)
	o.Log, o.Node = openRedis(t, server), "a"
	o.CheckEvery = cmp.Or(o.CheckEvery, 100*time.Millisecond)
	h := &byHand{t: t, plain: plainClient(t, server), options: o}
	h.begin()
	t.Cleanup(func() { _ = h.broker.Close() })
	return h
}

func (h *byHand) begin() { h.broker = streams.NewBroker(h.options) }

// beginAnew takes another broker, which has no page at hand.
func (h *byHand) beginAnew() {
	h.t.Helper()
	if err := h.broker.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.begin()
}

func (h *byHand) publish(n int) (ids []streams.ID) {
	h.t.Helper()
	for range n {
		results, err := h.broker.Publish(h.t.Context(), "a", text("x"))
		if err != nil {
			h.t.Fatal(err)
		}
		ids = append(ids, results[0].ID)
	}
	return ids
}

func (h *byHand) do(args ...any) any {
	h.t.Helper()
	reply, err := h.plain.Do(h.t.Context(), args...).Result()
	if err != nil {
		h.t.Fatal(err)
	}
	return reply
}

func (h *byHand) delete(ids ...streams.ID) {
	h.t.Helper()
	for _, id := range ids {
		h.do("XDEL", handLog, id.String())
	}
}

// story is what a subscription tells: gaps and numbers of events, in order.
type story struct {
	t      *testing.T
	sub    *streams.Subscription
	signal streams.Signal
	at     streams.ID
	told   []string
}

func (h *byHand) subscribe(start streams.Start) *story {
	h.t.Helper()
	s := &story{t: h.t, signal: streams.NewSignal()}
	var err error
	if s.sub, err = h.broker.Subscribe(h.t.Context(), "a", start, s.signal); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(s.sub.Close)
	s.at = s.sub.Position()
	return s
}

// tells reads until the story is as long as it should be.
func (s *story) tells(want ...string) {
	s.t.Helper()
	over := time.After(20 * time.Second)
	for {
		for s.sub.Due() {
			s.take(s.sub.Next(nil, 1<<20))
		}
		if len(s.told) >= len(want) {
			break
		}
		select {
		case <-s.signal:
		case <-over:
			s.t.Fatalf("told %q, want %q", s.told, want)
		}
	}
	if !slices.Equal(s.told, want) {
		s.t.Fatalf("told %q, want %q", s.told, want)
	}
	s.told = nil
}

func (s *story) take(b streams.Batch) {
	s.t.Helper()
	if g := b.Gap; g != nil {
		if g.After != s.at {
			s.t.Fatalf("at %v a gap: %+v", s.at, *g)
		}
		missed := "?"
		if g.Missed != streams.MissedUnknown {
			missed = fmt.Sprint(g.Missed)
		}
		s.told = append(s.told, fmt.Sprintf("%s %s to %d", g.Reason, missed, g.Last.N))
		s.at = g.Last
	}
	for _, e := range b.Events {
		if e.Prev != s.at {
			s.t.Fatalf("%v (prev %v) after %v", e.ID, e.Prev, s.at)
		}
		s.told = append(s.told, fmt.Sprint(e.ID.N))
		s.at = e.ID
	}
}

// TestRedisDeletedByHand: holes in the middle, at both ends, and everywhere.
func TestRedisDeletedByHand(t *testing.T) {
	h := newByHand(t, streams.BrokerOptions{TailBytes: 1}) // or tails would still have what is deleted
	base := h.subscribe(streams.Now()).at
	ids := append([]streams.ID{base}, h.publish(9)...)
	h.delete(ids[1], ids[4], ids[5], ids[9])
	for from, want := range map[int][]string{
		0: {"trimmed 1 to 1", "2", "3", "trimmed 2 to 5", "6", "7", "8", "trimmed 1 to 9"},
		1: {"2", "3", "trimmed 2 to 5", "6", "7", "8", "trimmed 1 to 9"},
		3: {"trimmed 2 to 5", "6", "7", "8", "trimmed 1 to 9"},
		4: {"trimmed 1 to 5", "6", "7", "8", "trimmed 1 to 9"},
		5: {"6", "7", "8", "trimmed 1 to 9"},
		8: {"trimmed 1 to 9"},
		9: nil,
	} {
		h.subscribe(streams.After(ids[from])).tells(want...)
	}
	h.subscribe(streams.Earliest()).tells("2", "3", "trimmed 2 to 5", "6", "7", "8", "trimmed 1 to 9")
	h.subscribe(streams.Rewind(4)).tells("3", "trimmed 2 to 5", "6", "7", "8", "trimmed 1 to 9")
	h.publish(1)
	h.subscribe(streams.After(ids[8])).tells("trimmed 1 to 9", "10")
	h.delete(ids...)
	h.do("XTRIM", handLog, "MAXLEN", "0")
	h.beginAnew()
	h.subscribe(streams.After(ids[2])).tells("expired 8 to 10")
}

// TestRedisExpires: a stream that expires whole is told as that, with its
// number; where the head is lost too, without.
func TestRedisExpires(t *testing.T) {
	h := newByHand(t, streams.BrokerOptions{})
	ids := h.publish(5)
	h.do("PEXPIRE", handLog, "1")
	within(t, 10*time.Second, "the end of the stream", func() bool { return h.plain.Exists(t.Context(), handLog).Val() == 0 })
	h.subscribe(streams.After(ids[1])).tells("expired 3 to 5")
	h.subscribe(streams.After(ids[4])).tells()
	h.subscribe(streams.Since(ids[1].Time())).tellsSince("expired ? to 5")
	live := h.subscribe(streams.Now())
	h.publish(1)
	live.tells("6")
	h.subscribe(streams.After(ids[1])).tells("trimmed 3 to 5", "6")
	h.do("DEL", handHead)
	h.beginAnew()
	h.subscribe(streams.After(ids[1])).tells("trimmed ? to 5", "6")
}

func (s *story) tellsSince(want string) {
	s.t.Helper()
	b := s.sub.Next(nil, 1<<20)
	if b.Gap == nil || !b.Gap.After.IsZero() {
		s.t.Fatalf("%+v", b)
	}
	b.Gap = &streams.Gap{After: s.at, Last: b.Gap.Last, Missed: b.Gap.Missed, Reason: b.Gap.Reason}
	s.take(b)
	s.tells(want)
}

// TestRedisTrimmedUnderAFollower: who has kept up misses nothing, who lags
// learns how much.
func TestRedisTrimmedUnderAFollower(t *testing.T) {
	h := newByHand(t, streams.BrokerOptions{TailEvents: 2})
	quick, lagging := h.subscribe(streams.Now()), h.subscribe(streams.Now())
	for n := range 8 {
		h.publish(1)
		quick.tells(fmt.Sprint(n + 1))
	}
	h.do("XTRIM", handLog, "MAXLEN", "3")
	h.publish(1)
	quick.tells("9")
	lagging.tells("trimmed 5 to 5", "6", "7", "8", "9")
	h.do("DEL", handLog)
	h.publish(1)
	quick.tells("10")
	lagging.tells("10")
}

// TestRedisLostUnderAFollower: everything is gone, and a new numbering begins.
func TestRedisLostUnderAFollower(t *testing.T) {
	h := newByHand(t, streams.BrokerOptions{})
	quiet, early := h.subscribe(streams.Now()), h.subscribe(streams.Now())
	h.publish(3)
	quiet.tells("1", "2", "3")
	h.do("FLUSHALL")
	quiet.tells("unknown ? to 0")
	h.publish(2)
	quiet.tells("1", "2")
	early.tells("unknown ? to 0", "1", "2")
}

// TestRedisRestoredUnderAFollower puts an older copy back: connected clients
// and those that return are told, before and after something new comes.
func TestRedisRestoredUnderAFollower(t *testing.T) {
	t.Parallel()
	h := newByHand(t, streams.BrokerOptions{})
	quiet, busy := h.subscribe(streams.Now()), h.subscribe(streams.Now())
	old := h.publish(3)
	dump := func(key string) string { return h.do("DUMP", key).(string) }
	log, head := dump(handLog), dump(handHead)
	lost := h.publish(2)
	restore := func() {
		// What is lost must have an earlier time than what comes then, as it
		// has after any failover.
		last := time.Now()
		within(t, 10*time.Second, "a later time", func() bool {
			return h.plain.Time(t.Context()).Val().UnixMilli() > last.UnixMilli()
		})
		h.do("RESTORE", handLog, 0, log, "REPLACE")
		h.do("RESTORE", handHead, 0, head, "REPLACE")
	}
	quiet.tells("1", "2", "3", "4", "5")
	busy.tells("1", "2", "3", "4", "5")

	restore()
	quiet.tells("rollback ? to 3")
	busy.tells("rollback ? to 3")
	h.subscribe(streams.After(lost[1])).tells("rollback ? to 3")
	h.subscribe(streams.After(old[2])).tells()
	h.publish(3)
	quiet.tells("4", "5", "6")
	returned := h.subscribe(streams.After(lost[0]))
	returned.tells("rollback ? to 3", "4", "5", "6")
	busy.tells("4", "5", "6")

	restore()
	h.publish(1) // at once: nobody looks for a second
	for _, s := range []*story{quiet, busy, returned} {
		s.tells("rollback ? to 3", "4")
	}
	h.subscribe(streams.After(lost[1])).tells("rollback ? to 3", "4")
}

// TestRedisBackHoles: older pages end before a hole and say so.
func TestRedisBackHoles(t *testing.T) {
	h := newByHand(t, streams.BrokerOptions{})
	h.subscribe(streams.Now())
	ids := append([]streams.ID{{}}, h.publish(6)...)
	h.delete(ids[3], ids[6])
	page, err := h.broker.Before(t.Context(), "a", streams.ID{}, 10, 1<<20)
	if err != nil || len(page.Events) != 2 || !page.More || page.Position != ids[5] || page.Gap == nil || page.Gap.Missed != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	page, err = h.broker.Before(t.Context(), "a", page.Events[0].ID, 10, 1<<20)
	want := streams.Gap{Channel: "a", After: ids[2], Last: ids[3], Missed: 1, Reason: streams.Trimmed}
	if err != nil || len(page.Events) != 2 || page.More || page.Gap == nil || *page.Gap != want {
		t.Fatalf("%+v, %v", page, err)
	}
}

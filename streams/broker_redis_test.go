package streams_test

import (
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

const handLog, handHead, handFork = "runnel:{a}:log", "runnel:{a}:head", "runnel:{a}:fork"

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
	within(t, "the end of the stream", func() bool { return h.plain.Exists(t.Context(), handLog).Val() == 0 })
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
		within(t, "a later time", func() bool {
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

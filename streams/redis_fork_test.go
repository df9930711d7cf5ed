package streams_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"runnel/faultproxy"
	"runnel/streams"
	"runnel/streams/streamstest"
)

// saved is a Redis that loses what came after its last SAVE.
type saved struct {
	*byHand
	server *streamstest.RedisServer
}

// newSaved keeps 200 events of a channel, and next to none in a tail.
func newSaved(t *testing.T) *saved {
	keep := streams.Retention{Count: 200, Age: time.Hour}
	h := newByHand(t, streams.BrokerOptions{TailEvents: 2, Retention: func(string) streams.Retention { return keep }})
	return &saved{h, h.server}
}

// lose ends the server at once and starts it again with what was saved, at a
// later time than what is lost had, as after any failover.
func (s *saved) lose() {
	s.t.Helper()
	s.server.Kill()
	s.server.Restart()
	s.await("a connection", func() bool { return s.plain.Ping(s.t.Context()).Err() == nil })
}

// losing is a Redis that loses what came after a SAVE while no node follows it.
func losing(t *testing.T) *streamstest.Losing {
	server := streamstest.StartRedis(t)
	plain := plainClient(t, server)
	log := openRedis(t, server)
	return &streamstest.Losing{
		Log: log,
		Save: func() {
			if err := plain.Save(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		},
		Lose: func() streams.Log {
			server.Kill()
			server.Restart()
			within(t, "a connection", func() bool {
				_, err := log.Heads(t.Context(), []string{"a"})
				return err == nil && plain.Ping(t.Context()).Err() == nil
			})
			return log
		},
	}
}

func TestRedisLosses(t *testing.T) {
	t.Parallel()
	streamstest.RunLosses(t, losing)
}

func TestRedisForker(t *testing.T) {
	t.Parallel()
	server := streamstest.StartRedis(t)
	plain := plainClient(t, server)
	streamstest.RunForker(t, func(t *testing.T) streams.Log {
		if err := plain.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		return openRedis(t, server)
	})
}

func (s *saved) await(what string, ok func() bool) {
	s.t.Helper()
	within(s.t, what, ok)
}

// publishAfter publishes once the Redis takes events again.
func (s *saved) publishAfter(n int) []streams.ID {
	s.t.Helper()
	var first streams.ID
	s.await("an append", func() bool {
		results, err := s.broker.Publish(s.t.Context(), "a", text("x"))
		if err == nil {
			first = results[0].ID
		}
		return err == nil
	})
	return append([]streams.ID{first}, s.publish(n-1)...)
}

// returns is what who comes back at a position is told first.
func (s *saved) returns(p streams.ID) streams.Gap {
	s.t.Helper()
	r := s.subscribe(streams.After(p))
	defer r.sub.Close()
	var gap streams.Gap
	s.await(fmt.Sprint("a gap from ", p), func() bool {
		b := r.sub.Next(nil, 1)
		if b.Gap != nil {
			gap = *b.Gap
		}
		return b.Gap != nil
	})
	return gap
}

// TestRedisRollbackBehindRetention: 10 events, of which the Redis knows 5 when
// it comes back, and then 700 with a history of 200. Who stood at 8 stood in a
// past that was lost, and no count from there means anything.
func TestRedisRollbackBehindRetention(t *testing.T) {
	t.Parallel()
	h := newSaved(t)
	reader := h.subscribe(streams.Now())
	ids := h.publish(5)
	h.do("SAVE")
	ids = append(ids, h.publish(5)...)
	reader.tells("1", "2", "3", "4", "5", "6", "7", "8", "9", "10")
	h.lose()
	reader.tells("rollback ? to 5")
	h.publishAfter(700)
	first := h.do("XRANGE", handLog, "-", "+", "COUNT", 1).([]any)[0].([]any)[0].(string)
	kept, err := streams.ParseID(first)
	if err != nil || kept.N < 400 {
		t.Fatalf("kept from %v, %v", first, err)
	}
	h.await("the fork", func() bool { return h.do("GET", handFork) != nil })
	for n, id := range ids {
		gap := h.returns(id)
		want := streams.Gap{Channel: "a", After: id, Last: gap.Last, Resumed: kept, Missed: streams.MissedUnknown, Reason: streams.Rollback}
		if n < 5 {
			want.Reason, want.Missed = streams.Trimmed, int64(kept.N)-int64(id.N)-1
		}
		if gap != want || gap.Last.N != kept.N-1 {
			t.Errorf("from %d: %+v, want %+v", n+1, gap, want)
		}
	}
}

// forks is what is noted of the channel's.
func (h *byHand) forks() []streams.Fork {
	h.t.Helper()
	return read(h.t, h.options.Log, "a", streams.Query{Events: 1, Bytes: 1}).Forks
}

// TestRedisRollbackBeforeANodeLooks: a node that cannot reach the Redis while
// that loses events and another node publishes more than history holds. Its
// readers are told what those are told that were not there.
func TestRedisRollbackBeforeANodeLooks(t *testing.T) {
	t.Parallel()
	h := newMoving(t, streams.BrokerOptions{})
	reader := h.subscribe(streams.Now())
	ids := h.publish(5)
	h.do("SAVE")
	ids = append(ids, h.publish(5)...)
	reader.tells("1", "2", "3", "4", "5", "6", "7", "8", "9", "10")
	h.away()
	h.server.Kill()
	h.server.Restart()
	other := openRedis(t, h.server)
	h.last = h.more(other, 700)
	h.back(h.server)
	first := read(t, other, "a", everything).Events[0].ID
	reader.rollsBackTo(h.last, 1+int(h.last.N-first.N))
	for n, id := range ids {
		gap := h.returns(id)
		if lost := n >= 5; lost != (gap.Reason == streams.Rollback) || lost != (gap.Missed == streams.MissedUnknown) || gap.Resumed != first {
			t.Errorf("from %d: %+v", n+1, gap)
		}
	}
}

// moving is a node whose Redis is moved from one server to another.
type moving struct {
	*saved
	proxy *faultproxy.Proxy
	last  streams.ID
}

func newMoving(t *testing.T, o streams.BrokerOptions) *moving {
	server := streamstest.StartRedis(t)
	proxy, err := faultproxy.Listen(server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	keep := streams.Retention{Count: 200, Age: time.Hour}
	o.Retention = func(string) streams.Retention { return keep }
	o.Log, o.Node, o.CheckEvery = openRedisWith(t, streams.RedisOptions{URL: "redis://" + proxy.Addr()}), "a", 100*time.Millisecond
	h := &byHand{t: t, server: server, plain: plainClient(t, server), options: o}
	h.begin()
	t.Cleanup(func() { _ = h.broker.Close() })
	return &moving{&saved{h, server}, proxy, streams.ID{}}
}

// more has another node publish, and returns the last position.
func (m *moving) more(other *streams.Redis, n int) (last streams.ID) {
	m.t.Helper()
	for range n {
		results, err := other.Append(m.t.Context(), "a", m.options.Retention("a"), []streams.Draft{text("x")})
		if err != nil {
			m.t.Fatal(err)
		}
		last = results[0].ID
	}
	return last
}

// away takes the node's Redis away.
func (m *moving) away() {
	m.proxy.SetTarget("127.0.0.1:1")
	m.proxy.Cut()
}

// back has the node's Redis be that server.
func (m *moving) back(server *streamstest.RedisServer) {
	m.t.Helper()
	m.server, m.plain = server, plainClient(m.t, server)
	m.proxy.SetTarget(server.Addr)
	m.proxy.Cut()
}

// rollsBackTo reads to the position, and fails unless a rollback was told of
// which nobody knows how much it lost, and then so many events.
func (s *story) rollsBackTo(id streams.ID, events int) {
	s.t.Helper()
	over := time.After(20 * time.Second)
	for s.at != id {
		for s.sub.Due() {
			s.take(s.sub.Next(nil, 1<<20))
		}
		if s.at == id {
			break
		}
		select {
		case <-s.signal:
		case <-over:
			s.t.Fatalf("it stands at %v, not at %v; told %q", s.at, id, s.told)
		}
	}
	if !strings.HasPrefix(s.told[0], "rollback ? to ") || len(s.told) != 1+events {
		s.t.Fatalf("told %q of %d, want %d events", s.told[0], len(s.told), events)
	}
	s.told = nil
}

// TestRedisOldMasterLivesOn: a node stays with an old master, which takes events
// after a replica has become the new one; then it moves over. The old master's
// clock is ahead, so that what it took stands among what the new one has, and
// that is trimmed before anybody looks.
func TestRedisOldMasterLivesOn(t *testing.T) {
	t.Parallel()
	h := newMoving(t, streams.BrokerOptions{})
	old, master := h.server, streamstest.StartRedis(t)
	reader := h.subscribe(streams.Now())
	common := h.publish(5)
	h.replicates(master, old)
	promoted := plainClient(t, master)
	if err := promoted.ReplicaOf(t.Context(), "no", "one").Err(); err != nil {
		t.Fatal(err)
	}
	other := openRedis(t, master)
	h.last = h.more(other, 1)
	// Five seconds ahead, as its clock would have it.
	ahead := streams.ID{Ms: h.last.Ms + 5000, N: 6}
	h.do("XADD", handLog, ahead.String(), "prev", common[4].String(), "data", "x", "text", "1")
	h.do("SET", handHead, strings.Replace(h.do("GET", handHead).(string), common[4].String(), ahead.String(), 1))
	lost := append([]streams.ID{ahead}, h.publish(3)...)
	reader.tells("1", "2", "3", "4", "5", "6", "7", "8", "9")
	h.last = h.more(other, 700)
	h.back(master)
	first := read(t, other, "a", everything).Events[0]
	reader.rollsBackTo(h.last, 1+int(h.last.N-first.ID.N))
	for _, id := range lost {
		if gap := h.returns(id); gap.Reason != streams.Rollback || gap.Last != first.Prev || gap.Resumed != first.ID {
			t.Errorf("from %v: %+v", id, gap)
		}
	}
	if gap := h.returns(common[4]); gap.Reason != streams.Trimmed || gap.Missed != int64(first.ID.N-6) {
		t.Errorf("%+v", gap)
	}
}

// replicates waits until the one has all of the other.
func (h *byHand) replicates(replica, master *streamstest.RedisServer) {
	h.t.Helper()
	host, port, _ := strings.Cut(master.Addr, ":")
	of := plainClient(h.t, replica)
	if err := of.ReplicaOf(h.t.Context(), host, port).Err(); err != nil {
		h.t.Fatal(err)
	}
	within(h.t, "the replica", func() bool {
		return of.Get(h.t.Context(), handHead).Val() == h.plain.Get(h.t.Context(), handHead).Val()
	})
}

// putBack returns a function that puts the channel back to what it is now, by
// hand: the server does not know that it lost anything. What else is to be done
// is done in the same step.
func (h *byHand) putBack() func(also ...any) {
	h.t.Helper()
	dump := func(key string) string { return h.do("DUMP", key).(string) }
	log, head := dump(handLog), dump(handHead)
	return func(also ...any) {
		h.t.Helper()
		last := time.Now()
		within(h.t, "a later time", func() bool {
			return h.plain.Time(h.t.Context()).Val().UnixMilli() > last.UnixMilli()
		})
		_, err := h.plain.TxPipelined(h.t.Context(), func(tx redis.Pipeliner) error {
			tx.Do(h.t.Context(), "RESTORE", handLog, 0, log, "REPLACE")
			tx.Do(h.t.Context(), "RESTORE", handHead, 0, head, "REPLACE")
			if len(also) > 0 {
				tx.Do(h.t.Context(), also...)
			}
			return nil
		})
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

// TestRedisForkIsFinished: what a node saw before anything followed is noted
// with what follows once that has come, and good behind retention.
func TestRedisForkIsFinished(t *testing.T) {
	t.Parallel()
	h := newSaved(t)
	reader := h.subscribe(streams.Now())
	ids := h.publish(3)
	restore := h.putBack()
	ids = append(ids, h.publish(4)...)
	reader.tells("1", "2", "3", "4", "5", "6", "7")
	restore()
	reader.tells("rollback ? to 3")
	if forks := h.forks(); len(forks) != 1 || forks[0] != (streams.Fork{Last: ids[2], Lost: ids[6]}) {
		t.Fatalf("forks %v", forks)
	}
	first := h.publish(1)[0]
	h.await("the fork", func() bool {
		forks := h.forks()
		return len(forks) == 1 && forks[0] == streams.Fork{Last: ids[2], First: first, Lost: ids[6]}
	})
	h.publish(700)
	for n, id := range ids {
		if gap := h.returns(id); (gap.Reason == streams.Rollback) != (n >= 3) {
			t.Errorf("from %d: %+v", n+1, gap)
		}
	}
}

// TestRedisForkWhileNoWrites: a rollback that is seen while the Redis takes no
// writes is noted once it does.
func TestRedisForkWhileNoWrites(t *testing.T) {
	t.Parallel()
	for name, setting := range map[string][2]string{"full": {"maxmemory", "1"}, "too few replicas": {"min-replicas-to-write", "1"}} {
		t.Run(name, func(t *testing.T) {
			h := newSaved(t)
			reader := h.subscribe(streams.Now())
			ids := h.publish(3)
			restore := h.putBack()
			ids = append(ids, h.publish(4)...)
			reader.tells("1", "2", "3", "4", "5", "6", "7")
			restore("CONFIG", "SET", setting[0], setting[1])
			reader.tells("rollback ? to 3")
			if forks := h.forks(); len(forks) > 0 {
				t.Fatalf("forks %v", forks)
			}
			if gap := h.returns(ids[5]); gap.Reason != streams.Rollback || gap.Last != ids[2] {
				t.Errorf("meanwhile: %+v", gap)
			}
			h.do("CONFIG", "SET", setting[0], "0")
			h.publishAfter(700)
			h.await("the fork", func() bool { return len(h.forks()) == 1 })
			for n, id := range ids {
				if gap := h.returns(id); (gap.Reason == streams.Rollback) != (n >= 3) {
					t.Errorf("from %d: %+v", n+1, gap)
				}
			}
		})
	}
}

// TestRedisForksDamaged: what somebody wrote where the forks belong keeps nobody
// from the channel. Who comes back to what is gone is told that nobody knows,
// and it is mended at once, for what is noted next.
func TestRedisForksDamaged(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string][]any{
		"text":         {"SET", handFork, "what"},
		"half":         {"SET", handFork, "5-1 6-2"},
		"another kind": {"HSET", handFork, "by", "hand"},
		"long":         {"SET", handFork, strings.Repeat("5-1 6-2 0-0 ", 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			h := newSaved(t)
			ids := h.publish(400)
			h.do(damage...)
			for _, id := range []streams.ID{ids[0], ids[50]} {
				if gap := h.returns(id); gap.Reason != streams.Rollback || gap.Missed != streams.MissedUnknown || gap.Resumed.IsZero() || gap.Resumed.N < 100 {
					t.Errorf("from %v: %+v", id, gap)
				}
			}
			if life := h.plain.TTL(t.Context(), handFork).Val(); h.do("TYPE", handFork) != "string" || life < 29*oneDay || life > 31*oneDay {
				t.Errorf("%v, for %v", h.do("GET", handFork), life)
			}
			exact := h.publish(1)[0]
			h.publish(600)
			if gap := h.returns(exact); gap.Reason != streams.Trimmed || gap.Missed != int64(gap.Resumed.N-exact.N-1) {
				t.Errorf("what came later: %+v", gap)
			}
			if gap := h.returns(ids[50]); gap.Reason != streams.Rollback {
				t.Errorf("later: %+v", gap)
			}
		})
	}
}

// TestRedisDamagedForksAtALoss: the append that finds the damage takes the place.
func TestRedisDamagedForksAtALoss(t *testing.T) {
	t.Parallel()
	h := newSaved(t)
	ids := h.publish(5)
	h.do("HSET", handFork, "by", "hand")
	h.do("SAVE")
	h.lose()
	h.publishAfter(700)
	for _, id := range ids[:4] {
		if gap := h.returns(id); gap.Reason != streams.Rollback || gap.Missed != streams.MissedUnknown {
			t.Errorf("%+v", gap)
		}
	}
	if forks := h.forks(); len(forks) != 2 {
		t.Errorf("forks %v", forks)
	}
}

// TestRedisReignWithoutReconnect: a master that becomes a replica, loses what
// the new master never had, and is promoted again, with the connections as they
// were.
func TestRedisReignWithoutReconnect(t *testing.T) {
	t.Parallel()
	h := newSaved(t)
	other := streamstest.StartRedis(t)
	ids := h.publish(5)
	h.replicates(other, h.server)
	if err := plainClient(t, other).ReplicaOf(t.Context(), "no", "one").Err(); err != nil {
		t.Fatal(err)
	}
	ids = append(ids, h.publish(4)...)
	host, port, _ := strings.Cut(other.Addr, ":")
	h.do("REPLICAOF", host, port)
	h.await("the replica", func() bool {
		head, _ := h.plain.Get(t.Context(), handHead).Result()
		return strings.HasPrefix(head, ids[4].String())
	})
	if _, err := h.broker.Publish(t.Context(), "a", text("x")); err == nil {
		t.Fatal("a replica took an event")
	}
	h.do("REPLICAOF", "NO", "ONE")
	h.publishAfter(700)
	for n, id := range ids {
		if gap := h.returns(id); (gap.Reason == streams.Rollback) != (n >= 5) {
			t.Errorf("from %d: %+v", n+1, gap)
		}
	}
}

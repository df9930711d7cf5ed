package streams_test

import (
	"fmt"
	"testing"
	"time"

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

package streams_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"runnel/streams"
	"runnel/streams/streamstest"
)

// byHand is a broker over a Redis that somebody meddles with.
type byHand struct {
	t       *testing.T
	server  *streamstest.RedisServer
	plain   *redis.Client
	options streams.BrokerOptions
	broker  *streams.Broker
}

func newByHand(t *testing.T, o streams.BrokerOptions) *byHand {
	server := streamstest.StartRedis(t)
	o.Log, o.Node = openRedis(t, server), "a"
	o.CheckEvery = cmp.Or(o.CheckEvery, 100*time.Millisecond)
	h := &byHand{t: t, server: server, plain: plainClient(t, server), options: o}
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
	over := time.After(patience)
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

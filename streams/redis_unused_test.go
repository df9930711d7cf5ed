package streams_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"runnel/streams"
	"runnel/streams/streamstest"
)

// TestRedisReadersLeaveNothing: whatever names are read, and what is ephemeral,
// leaves one key for all, and heads are read without a script for each.
func TestRedisReadersLeaveNothing(t *testing.T) {
	server := streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	names := make([]string, 2000)
	for i := range names {
		names[i] = fmt.Sprint("made up ", i)
	}
	base := read(t, log, "another", everything).Head
	heads, err := log.Heads(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	for _, head := range heads {
		if head != base {
			t.Fatalf("%+v, another has %+v", head, base)
		}
	}
	for _, name := range names[:200] {
		read(t, log, name, everything)
		add(t, log, name, streams.Draft{Data: []byte("1"), Ephemeral: true})
	}
	if keys := plain.Keys(t.Context(), "*").Val(); !slices.Equal(keys, []string{"runnel:base"}) {
		t.Errorf("%d keys: %q", len(keys), keys[:min(3, len(keys))])
	}
}

// setBase has the store stand as if it had been asked so long ago for the last
// time, and was begun at oldest.
func setBase(t *testing.T, plain *redis.Client, newest, oldest time.Duration) {
	t.Helper()
	at := func(ago time.Duration) streams.ID { return streams.ID{Ms: uint64(time.Now().Add(-ago).UnixMilli())} }
	if err := plain.Set(t.Context(), "runnel:base", fmt.Sprint(at(newest), " ", at(oldest)), time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
}

// TestRedisBaseMovesUp: the base follows the time, day by day, and what was
// handed out stays good for 23 days at least, which is less than heads live.
func TestRedisBaseMovesUp(t *testing.T) {
	server := streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	ago := func(id streams.ID) time.Duration { return time.Since(id.Time()) }
	for _, c := range []struct{ newest, oldest, newestThen, oldestThen time.Duration }{
		{oneDay / 2, 3 * oneDay, oneDay / 2, 3 * oneDay},
		{6 * oneDay, 10 * oneDay, 0, 10 * oneDay},
		{6 * oneDay, 29 * oneDay, 0, 23 * oneDay},
	} {
		setBase(t, plain, c.newest, c.oldest)
		head := read(t, log, "a", everything).Head
		if newest, oldest := ago(head.Last)-c.newestThen, ago(head.Base)-c.oldestThen; newest < -time.Second || newest > time.Minute || oldest < -time.Second || oldest > time.Minute {
			t.Errorf("%+v: %v to %v ago", c, ago(head.Last), ago(head.Base))
		}
		heads, err := log.Heads(t.Context(), []string{"a", "b"})
		if err != nil || heads[0] != head || heads[1] != head {
			t.Errorf("%+v: heads %+v, the page's %+v, %v", c, heads, head, err)
		}
	}
	if life := plain.TTL(t.Context(), "runnel:base").Val(); life < 7*oneDay-time.Minute || life > 7*oneDay {
		t.Errorf("it lives for %v", life)
	}
}

// TestRedisUnusedChannel: over moves of the base, who stood before the first
// event gets it without a gap, connected or not; once the store was emptied,
// with one.
func TestRedisUnusedChannel(t *testing.T) {
	h := newByHand(t, streams.BrokerOptions{})
	setBase(t, h.plain, 6*oneDay, 10*oneDay)
	connected := h.subscribe(streams.Now())
	setBase(t, h.plain, 0, 10*oneDay)
	first := h.publish(1)[0]
	connected.comesTo(first, "")
	position := func(ago time.Duration) streams.ID { return streams.ID{Ms: first.Ms - uint64(ago.Milliseconds())} }
	for _, ago := range []time.Duration{time.Second, 3 * oneDay, 9 * oneDay} {
		h.subscribe(streams.After(position(ago))).comesTo(first, "")
	}
	h.subscribe(streams.After(position(11*oneDay))).comesTo(first, streams.Unknown)

	h.do("FLUSHALL")
	other := h.subscribe(streams.After(position(3 * oneDay)))
	first = h.publish(1)[0]
	other.comesTo(first, streams.Unknown)
}

// comesTo reads until the event, and fails unless the gaps before it are none,
// or one for that reason.
func (s *story) comesTo(id streams.ID, want streams.Reason) {
	s.t.Helper()
	over := time.After(patience)
	var got streams.Reason
	for s.sub.Position() != id {
		if !s.sub.Due() {
			select {
			case <-s.signal:
			case <-over:
				s.t.Fatalf("it stands at %v, not at %v", s.sub.Position(), id)
			}
		}
		if b := s.sub.Next(nil, 1<<20); b.Gap != nil {
			got += b.Gap.Reason
		}
	}
	if got != want {
		s.t.Fatalf("gaps %q, want %q", got, want)
	}
}

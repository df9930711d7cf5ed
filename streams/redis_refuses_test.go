package streams_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"runnel/streams"
	"runnel/streams/streamstest"
)

// A full Redis takes nothing and still answers readers.
func TestRedisFull(t *testing.T) {
	server := streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	add(t, log, "a", text("1"))
	plain.ConfigSet(t.Context(), "maxmemory", "1")
	for _, d := range []streams.Draft{text("2"), {Data: []byte("3"), Ephemeral: true, Key: "k"}} {
		if _, err := log.Append(t.Context(), "a", aDay, []streams.Draft{d}); !errors.Is(err, streams.ErrUnavailable) {
			t.Error(err)
		}
	}
	if page := read(t, log, "a", everything); len(page.Events) != 1 {
		t.Errorf("%+v", page)
	}
	if _, err := log.Heads(t.Context(), []string{"a"}); err != nil {
		t.Error(err)
	}
	plain.ConfigSet(t.Context(), "maxmemory", "0")
	if id := add(t, log, "a", text("2"))[0]; id.N != 2 {
		t.Error(id)
	}
}

// A Redis that takes no writes cannot say where a channel begins that it never
// heard of. Nobody else waits for that.
func TestBrokerRedisTakesNoWrites(t *testing.T) {
	server := streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	last := add(t, log, "known", text("1"))[0]
	broker := streams.NewBroker(streams.BrokerOptions{Log: log, Node: "n", ProbeEvery: time.Hour})
	defer broker.Close()
	within(t, "the node to be ready", func() bool { return broker.Ready() == nil })
	plain.ConfigSet(t.Context(), "min-replicas-to-write", "1")
	subscribe := func(channel string, wait time.Duration) (*streams.Subscription, error) {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		s, err := broker.Subscribe(ctx, channel, streams.Now(), streams.NewSignal())
		if err == nil {
			t.Cleanup(s.Close)
		}
		return s, err
	}
	if _, err := subscribe("new", 100*time.Millisecond); !errors.Is(err, streams.ErrUnavailable) {
		t.Fatalf("a channel that cannot begin: %v", err)
	}
	s, err := subscribe("known", patience)
	if err != nil || s.Position() != last {
		t.Fatalf("a channel beside it: %v", err)
	}
	plain.ConfigSet(t.Context(), "min-replicas-to-write", "0")
	if _, err := subscribe("new", patience); err != nil {
		t.Errorf("once it does: %v", err)
	}
}

// A master that was demoted takes nothing and says nothing about positions.
func TestRedisDemoted(t *testing.T) {
	master, server := streamstest.StartRedis(t), streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	add(t, log, "a", text("1"))
	host, port, _ := strings.Cut(master.Addr, ":")
	if err := plain.ReplicaOf(t.Context(), host, port).Err(); err != nil {
		t.Fatal(err)
	}
	for _, d := range []streams.Draft{text("2"), {Data: []byte("3"), Ephemeral: true}} {
		if _, err := log.Append(t.Context(), "a", aDay, []streams.Draft{d}); !errors.Is(err, streams.ErrUnavailable) {
			t.Error(err)
		}
	}
	if _, err := log.Range(t.Context(), "a", everything); !errors.Is(err, streams.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := log.Heads(t.Context(), []string{"a"}); !errors.Is(err, streams.ErrUnavailable) {
		t.Error(err)
	}
}

// With too few replicas nothing is appended, and history is still there; heads
// that are due to be renewed are told all the same.
func TestRedisTooFewReplicas(t *testing.T) {
	server := streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	add(t, log, "a", text("1"))
	plain.ConfigSet(t.Context(), "min-replicas-to-write", "1")
	if _, err := log.Append(t.Context(), "a", aDay, []streams.Draft{text("2")}); !errors.Is(err, streams.ErrUnavailable) {
		t.Error(err)
	}
	if page := read(t, log, "a", everything); len(page.Events) != 1 {
		t.Errorf("%+v", page)
	}
	plain.ConfigSet(t.Context(), "min-replicas-to-write", "0")
	plain.PExpire(t.Context(), "runnel:{a}:head", time.Hour) // due to be renewed
	plain.ConfigSet(t.Context(), "min-replicas-to-write", "1")
	for range 20 * 256 { // a look in 256 would renew it
		if heads, err := log.Heads(t.Context(), []string{"a"}); err != nil || heads[0].Last.N != 1 {
			t.Fatalf("%+v, %v", heads, err)
		}
	}
}

// A key that somebody put where a head belongs is one channel's trouble.
func TestRedisHeadOfAnotherKind(t *testing.T) {
	server := streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	last := add(t, log, "known", text("1"))[0]
	plain.HSet(t.Context(), "runnel:{odd}:head", "by", "hand")
	heads, err := log.Heads(t.Context(), []string{"odd", "known"})
	if err != nil || heads[0] != (streams.Head{}) || heads[1].Last != last {
		t.Errorf("%+v, %v", heads, err)
	}
	if _, err := log.Append(t.Context(), "odd", aDay, []streams.Draft{text("1")}); !errors.Is(err, streams.ErrUnavailable) {
		t.Errorf("an append: %v", err)
	}
}

// TestRedisKindsBehindAKey: what stops an append after the key of an ephemeral
// event was written is not called refused, for a repetition finds the key. An
// ephemeral event needs no head.
func TestRedisKindsBehindAKey(t *testing.T) {
	for key, channel := range map[string]string{"runnel:{odd}:head": "odd", "runnel:base": "new"} {
		t.Run(key, func(t *testing.T) {
			server := streamstest.StartRedis(t)
			log, plain := openRedis(t, server), plainClient(t, server)
			ear := listen(t, log, channel)
			_, err := plain.TxPipelined(t.Context(), func(p redis.Pipeliner) error { // readers write it meanwhile
				p.Del(t.Context(), key)
				p.HSet(t.Context(), key, "by", "hand")
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			passing := streams.Draft{Data: []byte("1"), Ephemeral: true, Key: "k"}
			if results, err := log.Append(t.Context(), channel, aDay, []streams.Draft{passing}); err != nil || results[0].Err != nil {
				t.Fatal(results, err)
			}
			within(t, "the ephemeral event", func() bool { return ear.count() == 1 })
			_, err = log.Append(t.Context(), channel, aDay, []streams.Draft{passing, text("2")})
			wantRefusal(t, "behind a known key", err, server, "has a key of another kind")
			passing.Key = "another"
			if _, err = log.Append(t.Context(), channel, aDay, []streams.Draft{passing, text("2")}); !errors.Is(err, streams.ErrUnknownOutcome) {
				t.Errorf("behind a new key: %v", err)
			}
			if keys := plain.Keys(t.Context(), "runnel:{"+channel+"}:key:*").Val(); len(keys) != 2 {
				t.Errorf("%d keys", len(keys))
			}
		})
	}
}

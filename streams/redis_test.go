package streams_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"runnel/hubtest"
	"runnel/streams"
	"runnel/streams/streamstest"
)

func TestRedisSuite(t *testing.T) {
	t.Parallel()
	server := streamstest.StartRedis(t)
	plain := plainClient(t, server)
	streamstest.Run(t, func(t *testing.T) streams.Log {
		if err := plain.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		return openRedis(t, server)
	})
}

// plainClient is a client that looks at the server as an operator does.
func plainClient(tb testing.TB, server *streamstest.RedisServer) *redis.Client {
	tb.Helper()
	options, err := redis.ParseURL(server.URL())
	if err != nil {
		tb.Fatal(err)
	}
	options.DisableIdentity = true
	options.Protocol = 2
	c := redis.NewClient(options)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func openRedis(tb testing.TB, server *streamstest.RedisServer) *streams.Redis {
	tb.Helper()
	return openRedisWith(tb, streams.RedisOptions{URL: server.URL()})
}

func openRedisWith(tb testing.TB, o streams.RedisOptions) *streams.Redis {
	tb.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	log, err := streams.OpenRedis(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := log.Close(); err != nil {
			tb.Error(err)
		}
	})
	return log
}

var aDay = streams.Retention{Count: 1000, Age: 24 * time.Hour}

func text(s string) streams.Draft { return streams.Draft{Data: []byte(s), Text: true} }

// add appends the drafts and returns their IDs.
func add(t *testing.T, log streams.Log, channel string, drafts ...streams.Draft) []streams.ID {
	t.Helper()
	results, err := log.Append(t.Context(), channel, aDay, drafts)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]streams.ID, len(results))
	for i, r := range results {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		ids[i] = r.ID
	}
	return ids
}

func read(t *testing.T, log streams.Log, channel string, q streams.Query) streams.Page {
	t.Helper()
	page, err := log.Range(t.Context(), channel, q)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

var everything = streams.Query{Events: 1 << 20, Bytes: 1 << 30}

// patience is how long a test waits for what has to happen.
const patience = hubtest.Patience

// within waits until ok, and fails the test when that takes too long.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("did not come within %v: %s", patience, what)
		}
	}
}

// An operator sees with redis-cli what there is, and nothing lives for ever.
func TestRedisKeys(t *testing.T) {
	server := streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	ids := add(t, log, "orders",
		streams.Draft{Data: []byte(`{"a":1}`)},
		streams.Draft{Type: "paid", Data: []byte("x"), Text: true, From: "ana", Exclude: "c1", Key: "k"})
	entries, err := plain.XRange(t.Context(), "runnel:{orders}:log", "-", "+").Result()
	if err != nil || len(entries) != 2 {
		t.Fatal(entries, err)
	}
	base := read(t, log, "orders", everything).Base
	for i, want := range []map[string]any{
		{"prev": base.String(), "data": `{"a":1}`},
		{"prev": ids[0].String(), "event": "paid", "data": "x", "text": "1", "from": "ana", "exclude": "c1"},
	} {
		if entries[i].ID != ids[i].String() || fmt.Sprint(entries[i].Values) != fmt.Sprint(want) {
			t.Errorf("entry %v, want %v %v", entries[i], ids[i], want)
		}
	}
	info := plain.Info(t.Context(), "replication").Val()
	_, id, _ := strings.Cut(info, "master_replid:")
	if head := plain.Get(t.Context(), "runnel:{orders}:head").Val(); head != fmt.Sprint(ids[1], " ", base, " ", id[:6]) {
		t.Errorf("head %q", head)
	}
	read(t, log, "nobody", everything)
	add(t, log, "nobody", streams.Draft{Data: []byte("1"), Ephemeral: true})
	lives := map[string]time.Duration{
		"runnel:{orders}:log":  24*time.Hour + 90*time.Minute,
		"runnel:{orders}:head": 31*24*time.Hour + 90*time.Minute,
		"runnel:{orders}:key:": streams.KeyLife,
		"runnel:base":          7 * 24 * time.Hour,
	}
	for _, key := range plain.Keys(t.Context(), "*").Val() {
		prefix, life := key, time.Duration(0)
		if i := strings.Index(key, ":key:"); i > 0 {
			prefix = key[:i+5]
		}
		life = lives[prefix]
		delete(lives, prefix)
		if ttl := plain.PTTL(t.Context(), key).Val(); ttl > life || ttl < life-time.Minute {
			t.Errorf("%s lives for %v, want %v", key, ttl, life)
		}
	}
	if len(lives) > 0 {
		t.Errorf("missing keys: %v", lives)
	}
}

// An append gives the stream its life where that may be missing: when it is the
// first of a sixteenth of its age, or the clock is behind the channel.
func TestRedisStreamLife(t *testing.T) {
	server := streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	for _, head := range []string{"", "1-1 1-0", "253402300000000-1 1-0"} {
		if head != "" {
			plain.Set(t.Context(), "runnel:{a}:head", head, 0)
		}
		add(t, log, "a", text("1"))
		if life := plain.PTTL(t.Context(), "runnel:{a}:log").Val(); life < 24*time.Hour {
			t.Errorf("with the head %q the stream lives for %v", head, life)
		}
		plain.Persist(t.Context(), "runnel:{a}:log")
	}
}

// Heads has a head that is about to go live on, and looks at others only.
func TestRedisHeadsRenew(t *testing.T) {
	server := streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	add(t, log, "a", text("1"))
	for _, c := range []struct{ before, after time.Duration }{
		{time.Hour, 30 * 24 * time.Hour},
		{30*24*time.Hour - time.Hour, 30*24*time.Hour - time.Hour},
	} {
		plain.PExpire(t.Context(), "runnel:{a}:head", c.before)
		// It is renewed now and then, and 5,000 looks leave that out once in 300 million times.
		var ttl time.Duration
		for looks := 0; looks < 5000 && (looks < 1000 || (ttl-c.after).Abs() > time.Minute); looks++ {
			if _, err := log.Heads(t.Context(), []string{"a"}); err != nil {
				t.Fatal(err)
			}
			ttl = plain.PTTL(t.Context(), "runnel:{a}:head").Val()
		}
		if (ttl - c.after).Abs() > time.Minute {
			t.Errorf("after %v it lives for %v", c.before, ttl)
		}
	}
}

func TestRedisScriptFlush(t *testing.T) {
	server := streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			for range 100 {
				if _, err := log.Append(t.Context(), fmt.Sprint("c", i%3), aDay, []streams.Draft{text("x")}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		if err := plain.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := log.Heads(t.Context(), []string{"c0", "c1"}); err != nil {
			t.Fatal(err)
		}
	}
	callers.Wait()
	total := 0
	for i := range 3 {
		total += len(read(t, log, fmt.Sprint("c", i), everything).Events)
	}
	if total != 800 {
		t.Errorf("%d of 800 events", total)
	}
}

func TestRedisClosed(t *testing.T) {
	server := streamstest.StartRedis(t)
	log := openRedis(t, server)
	var callers sync.WaitGroup
	acknowledged := make(chan streams.ID, 10000)
	for range 8 {
		callers.Go(func() {
			for {
				results, err := log.Append(context.Background(), "a", aDay, []streams.Draft{text("x")})
				if err != nil {
					if !errors.Is(err, streams.ErrClosed) {
						t.Error(err)
					}
					return
				}
				acknowledged <- results[0].ID
			}
		})
	}
	within(t, "some appends", func() bool { return len(acknowledged) > 100 })
	if err := log.Close(); err != nil {
		t.Error(err)
	}
	callers.Wait()
	if _, err := log.Range(t.Context(), "a", everything); !errors.Is(err, streams.ErrClosed) {
		t.Error(err)
	}
	if _, err := log.Heads(t.Context(), nil); !errors.Is(err, streams.ErrClosed) {
		t.Error(err)
	}
	if _, err := log.Record(t.Context(), "x"); !errors.Is(err, streams.ErrClosed) {
		t.Error(err)
	}
	log.Follow("a", nil)()
	close(acknowledged)
	last := streams.ID{}
	for id := range acknowledged {
		if last.Less(id) {
			last = id
		}
	}
	// With nothing half done at the end, the last one acknowledged is the last.
	if page := read(t, openRedis(t, server), "a", everything); page.Last != last {
		t.Errorf("acknowledged up to %v, stored up to %v", last, page.Last)
	}
}

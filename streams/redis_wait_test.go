package streams_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"runnel/streams"
	"runnel/streams/streamstest"
)

// replicated is a master and a replica that is up to date.
func replicated(t *testing.T) (master, replica *streamstest.RedisServer) {
	t.Helper()
	master = streamstest.StartRedis(t, "--repl-diskless-sync-delay", "0")
	host, port, err := net.SplitHostPort(master.Addr)
	if err != nil {
		t.Fatal(err)
	}
	replica = streamstest.StartRedis(t, "--replicaof", host+" "+port)
	at := plainClient(t, master)
	within(t, 20*time.Second, "the replica in step", func() bool {
		return strings.Contains(at.Info(t.Context(), "replication").Val(), "state=online")
	})
	return master, replica
}

func lastOf(t *testing.T, at *redis.Client, channel string) string {
	t.Helper()
	entries, err := at.XRevRangeN(t.Context(), "runnel:{"+channel+"}:log", "+", "-", 1).Result()
	if err != nil || len(entries) == 0 {
		return fmt.Sprint("none ", err)
	}
	return entries[0].ID
}

// What is acknowledged, the replica has.
func TestRedisWait(t *testing.T) {
	master, replica := replicated(t)
	log := openRedisWith(t, streams.RedisOptions{URL: master.URL(), Replicas: 1})
	at := plainClient(t, replica)
	for i := range 100 {
		if id := add(t, log, "a", text("x"))[0]; lastOf(t, at, "a") != id.String() {
			t.Fatalf("event %d is %v, the replica has up to %v", i, id, lastOf(t, at, "a"))
		}
	}
	// Unknown to the server the script takes two pipelines.
	if err := plainClient(t, master).ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if id := add(t, log, "a", text("x"))[0]; lastOf(t, at, "a") != id.String() {
		t.Errorf("%v, the replica has up to %v", id, lastOf(t, at, "a"))
	}
}

// Without the replica the outcome is not known, however often one asks; with
// the key it is one event in the end, which the replica has.
func TestRedisWaitInVain(t *testing.T) {
	master, replica := replicated(t)
	log := openRedisWith(t, streams.RedisOptions{URL: master.URL(), Replicas: 1, ReadTimeout: time.Second})
	add(t, log, "a", text("before"))
	keyed := []streams.Draft{{Data: []byte("x"), Text: true, Key: "x"}}

	replica.Pause()
	for range 2 {
		_, err := log.Append(t.Context(), "a", aDay, keyed)
		if !errors.Is(err, streams.ErrUnknownOutcome) || !strings.Contains(err.Error(), "0 of 1") {
			t.Error(err)
		}
	}
	began := time.Now()
	fleeting := []streams.Draft{{Data: []byte("x"), Ephemeral: true}}
	if _, err := log.Append(t.Context(), "a", aDay, fleeting); err != nil || time.Since(began) > 400*time.Millisecond {
		t.Errorf("an ephemeral event took %v: %v", time.Since(began), err)
	}
	if page := read(t, log, "a", everything); len(page.Events) != 2 {
		t.Errorf("the master has %d events", len(page.Events))
	}
	replica.Resume()

	id := insist(t, log, "a", "x")
	if got := lastOf(t, plainClient(t, replica), "a"); got != id.String() {
		t.Errorf("%v, the replica has up to %v", id, got)
	}
	if page := read(t, log, "a", everything); len(page.Events) != 2 {
		t.Errorf("the master has %d events", len(page.Events))
	}
}

// More replicas than there are never have it, and what the master refuses was
// not done, whatever the replicas say.
func TestRedisWaitTooMany(t *testing.T) {
	master, _ := replicated(t)
	log := openRedisWith(t, streams.RedisOptions{URL: master.URL(), Replicas: 2, ReadTimeout: 500 * time.Millisecond})
	if _, err := log.Append(t.Context(), "a", aDay, []streams.Draft{text("1")}); !errors.Is(err, streams.ErrUnknownOutcome) ||
		!strings.Contains(err.Error(), "1 of 2") {
		t.Error(err)
	}
	plainClient(t, master).ConfigSet(t.Context(), "min-replicas-to-write", "2")
	if _, err := log.Append(t.Context(), "a", aDay, []streams.Draft{text("2")}); !errors.Is(err, streams.ErrUnavailable) {
		t.Error(err)
	}
}

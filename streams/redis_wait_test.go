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
	awaitInStep(t, at)
	return master, replica
}

// awaitInStep waits until the replica has acknowledged a write: one that is
// "online" may still be loading what it was sent.
func awaitInStep(t *testing.T, at *redis.Client) {
	t.Helper()
	within(t, "the replica in step", func() bool {
		wait := redis.NewIntCmd(t.Context(), "wait", 1, 1000)
		_, err := at.Pipelined(t.Context(), func(p redis.Pipeliner) error {
			p.Set(t.Context(), "in step", 1, 0) // WAIT speaks of its connection's writes
			return p.Process(t.Context(), wait)
		})
		return err == nil && wait.Val() == 1
	})
}

// waits is how often a server was asked to wait for its replicas.
func waits(t *testing.T, at *redis.Client) string {
	t.Helper()
	stats, err := at.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(stats, "cmdstat_wait:")
	calls, _, _ := strings.Cut(after, ",")
	return calls
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
	insist(t, log, "a", "before")
	at := plainClient(t, master)
	keyed := []streams.Draft{{Data: []byte("x"), Text: true, Key: "x"}}

	replica.Pause()
	for range 2 {
		_, err := log.Append(t.Context(), "a", aDay, keyed)
		if !errors.Is(err, streams.ErrUnknownOutcome) || !strings.Contains(err.Error(), "0 of 1") {
			t.Error(err)
		}
	}
	before := waits(t, at)
	fleeting := []streams.Draft{{Data: []byte("x"), Ephemeral: true}}
	if _, err := log.Append(t.Context(), "a", aDay, fleeting); err != nil || waits(t, at) != before {
		t.Errorf("an ephemeral event waits for replicas (%s, then %s): %v", before, waits(t, at), err)
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
	log := openRedisWith(t, streams.RedisOptions{URL: master.URL(), Replicas: 2, ReadTimeout: 2 * time.Second})
	if _, err := log.Append(t.Context(), "a", aDay, []streams.Draft{text("1")}); !errors.Is(err, streams.ErrUnknownOutcome) ||
		!strings.Contains(err.Error(), "1 of 2") {
		t.Error(err)
	}
	plainClient(t, master).ConfigSet(t.Context(), "min-replicas-to-write", "2")
	if _, err := log.Append(t.Context(), "a", aDay, []streams.Draft{text("2")}); !errors.Is(err, streams.ErrUnavailable) {
		t.Error(err)
	}
}

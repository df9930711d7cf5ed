package streams_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"runnel/streams"
	"runnel/streams/streamstest"
)

// insist appends one event, again with the same key as long as the outcome is
// not known.
func insist(t *testing.T, log streams.Log, channel, data string) streams.ID {
	d := []streams.Draft{{Data: []byte(data), Text: true, Key: data}}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		results, err := log.Append(t.Context(), channel, streams.Retention{Count: 1 << 20, Age: time.Hour}, d)
		switch {
		case err == nil && results[0].Err == nil:
			return results[0].ID
		case err == nil:
			t.Errorf("%s: %v", data, results[0].Err)
			return streams.ID{}
		case !errors.Is(err, streams.ErrUnavailable) && !errors.Is(err, streams.ErrUnknownOutcome):
			t.Errorf("%s: %v", data, err)
			return streams.ID{}
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%s: never appended", data)
	return streams.ID{}
}

// storm has publishers append at once, each its events in order, until all
// harm is done, and then checks that the channel holds each event exactly
// once, in its publisher's order and under the ID that was acknowledged, and
// that the follower knows them all.
func storm(t *testing.T, log streams.Log, publishers int, harm func()) {
	t.Helper()
	ear := listen(t, log, "storm")
	acknowledged := make([][]streams.ID, publishers)
	var publishing sync.WaitGroup
	harmed, done := context.WithCancel(t.Context())
	for p := range publishers {
		publishing.Go(func() {
			for i := 0; i < 50 || harmed.Err() == nil; i++ {
				acknowledged[p] = append(acknowledged[p], insist(t, log, "storm", fmt.Sprintf("%d/%d", p, i)))
			}
		})
	}
	harm()
	done()
	publishing.Wait()

	page := read(t, log, "storm", everything)
	next := make([]int, publishers)
	for i, e := range page.Events {
		var p, n int
		if _, err := fmt.Sscanf(string(e.Data), "%d/%d", &p, &n); err != nil {
			t.Fatal(err)
		}
		if next[p] != n || n >= len(acknowledged[p]) || acknowledged[p][n] != e.ID {
			t.Fatalf("%s as %v where %d/%d was due", e.Data, e.ID, p, next[p])
		}
		next[p]++
		if i > 0 && e.Prev != page.Events[i-1].ID {
			t.Fatalf("%v does not follow %v", e.ID, page.Events[i-1].ID)
		}
	}
	for p := range publishers {
		if next[p] != len(acknowledged[p]) {
			t.Errorf("publisher %d: %d events of %d", p, next[p], len(acknowledged[p]))
		}
	}
	within(t, 20*time.Second, "all events at the follower", func() bool { return ear.knows(page.Events) })
	t.Logf("%d events", len(page.Events))
}

func TestRedisConnectionsKilled(t *testing.T) {
	server := streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	storm(t, log, 16, func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for kills := 0; kills < 10; {
			<-tick.C
			kind := []string{"pubsub", "normal"}[kills%2]
			if plain.ClientKillByFilter(t.Context(), "TYPE", kind).Val() > 0 {
				kills++
			}
		}
	})
	if log.Reconnects() == 0 {
		t.Error("no reconnect")
	}
}

func TestRedisKilledAndRestarted(t *testing.T) {
	server := streamstest.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	log := openRedis(t, server)
	storm(t, log, 8, func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for range 3 {
			<-tick.C
			server.Kill()
			server.Restart()
		}
	})
	if log.Reconnects() == 0 {
		t.Error("no reconnect")
	}
}

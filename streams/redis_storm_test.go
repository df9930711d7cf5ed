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
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
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

// outcome is what a publisher was told of an event.
type outcome struct {
	id  streams.ID
	err error
}

// storm has publishers append at once, each its events in order, until all
// harm is done. Every other publisher insists, with keys; the rest try once,
// without. Then the channel has to hold what they were told, each event once
// and in its publisher's order, and the follower has to know all of it.
func storm(t *testing.T, log streams.Log, publishers int, harm func()) {
	t.Helper()
	ear := listen(t, log, "storm")
	told := make([][]outcome, publishers)
	var publishing sync.WaitGroup
	harmed, done := context.WithCancel(t.Context())
	for p := range publishers {
		publishing.Go(func() {
			for i := 0; i < 50 || harmed.Err() == nil; i++ {
				data := fmt.Sprintf("%d/%d", p, i)
				if p%2 == 0 {
					told[p] = append(told[p], outcome{id: insist(t, log, "storm", data)})
				} else {
					told[p] = append(told[p], try(t, log, "storm", data))
				}
			}
		})
	}
	harm()
	done()
	publishing.Wait()

	page := read(t, log, "storm", everything)
	checkTold(t, page.Events, told)
	within(t, "all events at the follower", func() bool { return ear.knows(page.Events) })
}

func try(t *testing.T, log streams.Log, channel, data string) outcome {
	keep := streams.Retention{Count: 1 << 20, Age: time.Hour}
	results, err := log.Append(t.Context(), channel, keep, []streams.Draft{text(data)})
	if err != nil {
		return outcome{err: err}
	}
	return outcome{id: results[0].ID, err: results[0].Err}
}

func checkTold(t *testing.T, events []*streams.Event, told [][]outcome) {
	t.Helper()
	next := make([]int, len(told))
	missing := func(p, to int) {
		for ; next[p] < to; next[p]++ {
			if told[p][next[p]].err == nil {
				t.Fatalf("%d/%d was acknowledged and is not there, or not in its place", p, next[p])
			}
		}
	}
	for i, e := range events {
		if i > 0 && e.Prev != events[i-1].ID {
			t.Fatalf("%v does not follow %v", e.ID, events[i-1].ID)
		}
		var p, n int
		if _, err := fmt.Sscanf(string(e.Data), "%d/%d", &p, &n); err != nil || n < next[p] {
			t.Fatalf("%q where %d/%d was due, %v", e.Data, p, next[p], err)
		}
		missing(p, n)
		if o := told[p][n]; o.err == nil && o.id != e.ID || errors.Is(o.err, streams.ErrUnavailable) {
			t.Fatalf("%s is there as %v; told was %+v", e.Data, e.ID, o)
		}
		next[p]++
	}
	count := map[string]int{}
	for p := range told {
		missing(p, len(told[p]))
		for _, o := range told[p] {
			switch {
			case o.err == nil:
				count["acknowledged"]++
			case errors.Is(o.err, streams.ErrUnavailable):
				count["unavailable"]++
			case errors.Is(o.err, streams.ErrUnknownOutcome):
				count["unknown"]++
			default:
				t.Errorf("%v", o.err)
			}
		}
	}
	t.Log(len(events), "events;", count)
}

func TestRedisConnectionsKilled(t *testing.T) {
	t.Parallel()
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

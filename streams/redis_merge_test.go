package streams_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"runnel/streams"
	"runnel/streams/streamstest"
)

// Appends to a channel that wait together are one call of the script, in which
// every draft is its own: keys, texts, ephemeral ones.
func TestRedisMerged(t *testing.T) {
	server := streamstest.StartRedis(t)
	log := openRedisWith(t, streams.RedisOptions{URL: server.URL(), ReadTimeout: 20 * time.Second})
	plain := plainClient(t, server)
	ear := listen(t, log, "a")
	add(t, log, "a", text("before"))
	calls := func() (n int) {
		info := plain.Info(t.Context(), "commandstats").Val()
		if _, rest, ok := strings.Cut(info, "cmdstat_evalsha:calls="); ok {
			fmt.Sscanf(rest, "%d", &n)
		}
		return n
	}
	before := calls()
	server.Pause()
	stick(t, log)
	const callers = 60
	var results [callers]streams.Result
	var waiting sync.WaitGroup
	for i := range callers {
		d := streams.Draft{Data: fmt.Append(nil, i), Text: i%2 == 0, From: strings.Repeat("f", i%3)}
		switch i % 6 {
		case 1:
			d.Ephemeral = true
		case 2:
			d.Key, d.Data, d.Type = "same", []byte("same"), "t"
			d.From = ""
		case 3:
			d.Key = "used for others"
		}
		waiting.Go(func() {
			r, err := log.Append(t.Context(), "a", aDay, []streams.Draft{d})
			if err != nil {
				t.Error(err)
				return
			}
			results[i] = r[0]
		})
	}
	within(t, "all of them to wait", func() bool { return log.Waiting("a") == callers })
	server.Resume()
	waiting.Wait()
	if n := calls() - before; n != 2 {
		t.Errorf("%d calls for one append and %d that waited together", n, callers)
	}

	stored, reused := map[streams.ID]int{}, 0
	for i, r := range results {
		switch {
		case errors.Is(r.Err, streams.ErrKeyReused) && i%6 == 3:
			reused++
		case r.Err != nil || r.ID.IsZero() != (i%6 == 1):
			t.Errorf("%d: %+v", i, r)
		case !r.ID.IsZero():
			stored[r.ID]++
		}
	}
	// 3 in 6 have an event of their own, the same ones and the used ones one each.
	events := read(t, log, "a", everything).Events[2:]
	if want := callers/6*3 + 2; len(events) != want || len(stored) != want || reused != callers/6-1 {
		t.Errorf("%d events, %d answers, %d refused; want %d", len(events), len(stored), reused, want)
	}
	for _, e := range events {
		if e.Type == "t" && stored[e.ID] != callers/6 {
			t.Errorf("%d answers for a key used %d times", stored[e.ID], callers/6)
		}
	}
	within(t, "all events at the follower", func() bool { return ear.knows(events) })
}

// stick has the sender of channel a wait for the answer to an append, of a
// server that is paused.
func stick(t *testing.T, log streams.Log) {
	t.Helper()
	within(t, "an append that was sent", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := log.Append(ctx, "a", aDay, []streams.Draft{text("sent")})
		return errors.Is(err, streams.ErrUnknownOutcome)
	})
}

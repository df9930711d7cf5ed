package streams_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"runnel/hubtest"
	"runnel/streams"
	"runnel/streams/streamstest"
)

// Nobody knows whether what a stalled server was sent will be done; with its
// key it is done once.
func TestRedisPaused(t *testing.T) {
	t.Parallel()
	server := streamstest.StartRedis(t)
	var lines hubtest.Output
	log := openRedisWith(t, streams.RedisOptions{
		URL: server.URL(), ReadTimeout: 300 * time.Millisecond, WriteTimeout: 300 * time.Millisecond,
		DialTimeout: 300 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&lines, nil)),
	})
	ear := listen(t, log, "a")
	add(t, log, "a", text("before"))
	draft := []streams.Draft{{Data: []byte("x"), Text: true, Key: "k"}}

	server.Pause()
	began := time.Now()
	if _, err := log.Append(t.Context(), "a", aDay, draft); !errors.Is(err, streams.ErrUnknownOutcome) {
		t.Error("sent and not answered:", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := log.Append(ctx, "a", aDay, draft)
	if !errors.Is(err, context.DeadlineExceeded) ||
		!errors.Is(err, streams.ErrUnavailable) && !errors.Is(err, streams.ErrUnknownOutcome) {
		t.Error("with a deadline:", err)
	}
	if _, err := log.Range(t.Context(), "a", everything); !errors.Is(err, streams.ErrUnavailable) {
		t.Error(err)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("three answers took %v", took)
	}
	within(t, "the connection to be given up", func() bool {
		return strings.Contains(lines.String(), "lost the Redis")
	})
	resyncs := ear.times()
	server.Resume()

	within(t, "another Resync", func() bool { return ear.times() > resyncs })
	id := insist(t, log, "a", "after")
	results, err := log.Append(t.Context(), "a", aDay, draft)
	if err != nil {
		t.Fatal(err)
	}
	page := read(t, log, "a", everything)
	once := 0
	for _, e := range page.Events {
		if string(e.Data) == "x" {
			once++
		}
	}
	if once != 1 || len(page.Events) != 3 || results[0].ID.IsZero() || id.IsZero() {
		t.Errorf("%d events, %d of them x", len(page.Events), once)
	}
	within(t, "all events at the follower", func() bool { return ear.knows(page.Events) })
}

// What waits behind a stalled batch was never sent, and says so.
func TestRedisGivenUpBeforeSent(t *testing.T) {
	server := streamstest.StartRedis(t)
	log := openRedisWith(t, streams.RedisOptions{URL: server.URL(), ReadTimeout: 10 * time.Second})
	add(t, log, "a", text("before"))
	giveUp := func(data string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := log.Append(ctx, "a", aDay, []streams.Draft{text(data)})
		return err
	}
	server.Pause()
	within(t, "an append that was sent", func() bool {
		return errors.Is(giveUp("sent"), streams.ErrUnknownOutcome)
	})
	var callers sync.WaitGroup
	for range 10 {
		callers.Go(func() {
			if err := giveUp("given up"); !errors.Is(err, streams.ErrUnavailable) {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	server.Resume()
	insist(t, log, "a", "after")
	events := read(t, log, "a", everything).Events
	if len(events) != 3 || string(events[1].Data) != "sent" {
		t.Errorf("%d events", len(events))
	}
}

// A store that is away is waited for.
func TestRedisAway(t *testing.T) {
	server := streamstest.StartRedis(t)
	server.Stop()
	log := openRedis(t, server)
	ear := listenAnyway(t, log, "a")
	for range 100 { // more often than there are connections
		if _, err := log.Append(t.Context(), "a", aDay, []streams.Draft{text("x")}); !errors.Is(err, streams.ErrUnavailable) || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatal(err)
		}
	}
	if _, err := log.Heads(t.Context(), []string{"a"}); !errors.Is(err, streams.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := log.Record(t.Context(), "a"); !errors.Is(err, streams.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := log.SwapRecord(t.Context(), "a", nil, []byte("x"), time.Second); !errors.Is(err, streams.ErrUnavailable) {
		t.Error(err)
	}
	server.Restart()
	within(t, "the first Resync", func() bool { return ear.times() > 0 })
	insist(t, log, "a", "there")
	within(t, "the event", func() bool { return ear.count() > 0 })
	if n := len(read(t, log, "a", everything).Events); n != 1 || log.Reconnects() != 0 {
		t.Errorf("%d events, %d reconnects", n, log.Reconnects())
	}
}

// Who subscribes while the Redis refuses connections is told so at once, but
// for channels that the node knows already; afterwards all is as before.
func TestBrokerRedisRefuses(t *testing.T) {
	server := streamstest.StartRedis(t)
	log := openRedis(t, server)
	broker := streams.NewBroker(streams.BrokerOptions{Log: log, Node: "n"})
	defer broker.Close()
	subscribe := func(channel string) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		s, err := broker.Subscribe(ctx, channel, streams.Now(), streams.NewSignal())
		if err == nil {
			s.Close()
		}
		return err
	}
	if err := subscribe("known"); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	within(t, "the log to know", func() bool {
		select {
		case <-log.Away():
			return true
		default:
			return false
		}
	})
	began := time.Now()
	if err := subscribe("new"); !errors.Is(err, streams.ErrUnavailable) || time.Since(began) > patience/2 {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	if err := subscribe("known"); err != nil {
		t.Error(err)
	}
	server.Restart()
	within(t, "the channel", func() bool { return subscribe("new") == nil })
}

// A batch's shares are each told that the Redis is away, or the log closed.
func TestRedisSharesAway(t *testing.T) {
	server := streamstest.StartRedis(t)
	server.Stop()
	log := openRedis(t, server)
	for _, want := range []error{streams.ErrUnavailable, streams.ErrClosed} {
		shares := []*streams.Share{
			{Channel: "a", Drafts: []streams.Draft{text("1")}},
			{Channel: "b", Drafts: []streams.Draft{text("1")}},
		}
		log.AppendShares(t.Context(), shares, func(string) streams.Retention { return aDay })
		for _, s := range shares {
			if !errors.Is(s.Err, want) || s.Results != nil {
				t.Errorf("%s: %v, %v", s.Channel, s.Results, s.Err)
			}
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

package streams

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A log that takes events and does not deliver them is not ready, and is asked
// to follow anew; one that is away is not ready either.
func TestReady(t *testing.T) {
	var lines bytes.Buffer
	o := BrokerOptions{ProbeEvery: 2 * time.Second, Logger: slog.New(slog.NewTextHandler(&lines, nil))}
	inBubble(t, o, func(t *testing.T, b *Broker, log *frail) {
		ready := func(in time.Duration, want string) {
			t.Helper()
			time.Sleep(in)
			switch err := b.Ready(); {
			case err == nil && want == "":
			case err == nil, want == "", !strings.Contains(err.Error(), want):
				t.Fatalf("%v, want %q", err, want)
			}
		}
		ready(0, "")
		log.deaf.Store(true)
		ready(2*time.Second, "") // the last round trip still counts
		ready(8*time.Second, "did not come back within 2s")
		if log.refollows.Load() == 0 {
			t.Fatal("not followed anew")
		}
		log.deaf.Store(false)
		ready(5*time.Second, "")
		refollows := log.refollows.Load()
		log.away.Store(true)
		ready(10*time.Second, ErrUnavailable.Error())
		if log.refollows.Load() != refollows {
			t.Fatal("followed anew though the log is away")
		}
		log.away.Store(false)
		ready(3*time.Second, "")
		if n := b.Stats().LogErrors; n == 0 || !strings.Contains(lines.String(), "doing=probe") {
			t.Fatalf("%d errors counted, %q", n, lines.String())
		}
	})
}

// A broker that has just begun is not ready before the first round trip.
func TestReadyAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFrail(t)
		log.deaf.Store(true)
		b := NewBroker(BrokerOptions{Log: log, Node: "a"})
		if err := b.Ready(); err == nil {
			t.Fatal("ready at once")
		}
		synctest.Wait()
		began := time.Now()
		if err := b.Close(); err != nil || time.Since(began) > 0 {
			t.Fatalf("%v after %v", err, time.Since(began))
		}
		if log.refollows.Load() > 0 {
			t.Fatal("followed anew while closing")
		}
	})
}

// TestReadyOnceFollowed: a node is ready as soon as the log is followed, not
// only at the next try: at the start, where the first event comes too early to
// be heard, and when the log was away.
func TestReadyOnceFollowed(t *testing.T) {
	o := BrokerOptions{ProbeEvery: time.Hour}
	inBubble(t, o, func(t *testing.T, b *Broker, log *frail) {
		log.away.Store(true)
		time.Sleep(2 * time.Hour)
		log.away.Store(false)
		log.deaf.Store(true) // its follower does not hear yet
		follower := log.follower("$probe:a")
		follower.Resync()
		synctest.Wait()
		if err := b.Ready(); err == nil {
			t.Fatal("ready without having heard anything")
		}
		log.deaf.Store(false)
		follower.Resync()
		synctest.Wait()
		if err := b.Ready(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestReadyWhenIDsGoBack: a new master's clock can be behind, so that what is
// appended there has lower IDs than what was heard before. It has to come back
// all the same.
func TestReadyWhenIDsGoBack(t *testing.T) {
	inBubble(t, BrokerOptions{ProbeEvery: 2 * time.Second}, func(t *testing.T, b *Broker, log *frail) {
		time.Sleep(time.Second)
		if err := b.Ready(); err != nil {
			t.Fatal(err)
		}
		log.follower("$probe:a").Deliver(&Event{ID: ID{Ms: maxMs, N: 1000}, Type: "probe", Data: []byte(`"earlier"`)})
		log.deaf.Store(true)
		time.Sleep(10 * time.Second)
		if err := b.Ready(); err == nil || !strings.Contains(err.Error(), "did not come back") {
			t.Fatalf("%v, though nothing comes back", err)
		}
		log.deaf.Store(false)
		time.Sleep(5 * time.Second)
		if err := b.Ready(); err != nil {
			t.Fatal(err)
		}
	})
}

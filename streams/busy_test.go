package streams

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// busyNames is the channels that sweeps look at, after the next sweep.
func busyNames(b *Broker) (names []string) {
	time.Sleep(tailSweepEvery + time.Second)
	synctest.Wait()
	for _, c := range b.busy.all() {
		names = append(names, c.name)
	}
	slices.Sort(names)
	return names
}

// TestQuietChannels: sweeps look at channels that hold events, whose readers
// are not at the end, or that nobody reads; at no others.
func TestQuietChannels(t *testing.T) {
	inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, log *frail) {
		subscribe := func(name string) *Subscription {
			s, err := b.Subscribe(t.Context(), name, Now(), NewSignal())
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		is := func(when string, want ...string) {
			t.Helper()
			if got := busyNames(b); !slices.Equal(got, want) {
				t.Errorf("%s, busy are %v, want %v", when, got, want)
			}
		}
		waits, stands := subscribe("waits"), subscribe("stands")
		waits.Next(nil, 1)
		is("with a reader that has not asked yet", "stands")
		stands.Next(nil, 1)
		is("when all wait")
		for _, name := range []string{"waits", "stands"} {
			drafts := []Draft{{Data: []byte("1")}, {Data: []byte("2")}}
			if _, err := b.Publish(t.Context(), name, drafts...); err != nil {
				t.Fatal(err)
			}
		}
		before := waits.Next(nil, 1<<20).From
		is("when tails hold events", "stands", "waits")
		time.Sleep(2 * time.Minute)
		is("when events are old and one reader did not read them", "stands")
		if lag := b.Lag(); lag != 2 {
			t.Errorf("the lag is %d, want 2", lag)
		}
		waits.Seek(before, nil)
		is("when a reader goes back", "stands", "waits")
		waits.Close()
		stands.Close()
		time.Sleep(time.Minute)
		is("when nobody reads")
		if n := b.Stats().Channels; n > 0 {
			t.Errorf("%d channels are followed", n)
		}
	})
}

// asked is a memory log that notes which channels are compared with it, and
// when.
type asked struct {
	*Memory
	mu    sync.Mutex
	calls []time.Time
	names map[string]int
}

func (l *asked) Heads(ctx context.Context, channels []string) ([]Head, error) {
	l.mu.Lock()
	l.calls = append(l.calls, time.Now())
	for _, name := range channels {
		l.names[name]++
	}
	l.mu.Unlock()
	return l.Memory.Heads(ctx, channels)
}

// TestChecksAreSpread: all channels are compared with the log once in each
// round of CheckEvery, and not all at the same time.
func TestChecksAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const channels, every = 2*headsAtOnce + 1, 30 * time.Second
		log := &asked{Memory: NewMemory(0), names: map[string]int{}}
		defer log.Close()
		b := NewBroker(BrokerOptions{Log: log, Node: "n", CheckEvery: every})
		defer b.Close()
		for i := range channels {
			if _, err := b.Subscribe(t.Context(), strconv.Itoa(i), Now(), NewSignal()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(every - time.Second) // the first round is to begin
		synctest.Wait()
		log.mu.Lock()
		log.calls, log.names = nil, map[string]int{}
		log.mu.Unlock()
		time.Sleep(every)
		synctest.Wait()
		log.mu.Lock()
		defer log.mu.Unlock()
		if len(log.calls) != 3 || len(log.names) != channels {
			t.Fatalf("%d of %d channels compared in %d calls", len(log.names), channels, len(log.calls))
		}
		for name, n := range log.names {
			if n != 1 {
				t.Errorf("%s was compared %d times", name, n)
			}
		}
		for i := range log.calls[1:] {
			if pause := log.calls[i+1].Sub(log.calls[i]); pause != every/3 {
				t.Errorf("call %d came %v after the one before", i+1, pause)
			}
		}
	})
}

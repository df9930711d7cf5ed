package streams

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// asked is a memory log that notes which channels are compared with it, and
// when.
type asked struct {
	*Memory
	mu    sync.Mutex
	calls []time.Time
	names map[string]int
	most  int         // channels in one call
	away  atomic.Bool // says nothing
}

func (l *asked) Heads(ctx context.Context, channels []string) ([]Head, error) {
	l.mu.Lock()
	l.most = max(l.most, len(channels))
	l.calls = append(l.calls, time.Now())
	for _, name := range channels {
		l.names[name]++
	}
	l.mu.Unlock()
	if l.away.Load() {
		return nil, ErrUnavailable
	}
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

// TestLeftChannelsAreNotCompared: clients that try again while the log is away
// leave nothing behind, however long that is.
func TestLeftChannelsAreNotCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &asked{Memory: NewMemory(0), names: map[string]int{}}
		defer log.Close()
		b := NewBroker(BrokerOptions{Log: log, Node: "n"})
		defer b.Close()
		log.away.Store(true)
		const tries = 100
		for range tries {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := b.Subscribe(ctx, "a", Now(), NewSignal()); !errors.Is(err, ErrUnavailable) {
				t.Fatal(err)
			}
			cancel()
			time.Sleep(time.Minute) // it is left
		}
		log.mu.Lock()
		defer log.mu.Unlock()
		if log.most > 2 {
			t.Errorf("%d channels were compared at once after %d tries", log.most, tries)
		}
	})
}

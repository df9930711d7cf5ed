package streamstest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"runnel/streams"
)

var leaveTests = map[string]func(fixture){
	"leave/linger": testLinger,
	"leave/quick":  testQuickLeave,
}

var brokerCloseTests = map[string]func(fixture){
	"broker/close":  testBrokerClose,
	"broker/refuse": testBrokerRefuses,
}

// testLinger: a channel that nobody reads costs nothing after a while, and is
// as good as new for who comes later.
func testLinger(f fixture) {
	b := f.broker(streams.BrokerOptions{Linger: 20 * time.Millisecond})
	var last streams.ID
	for round := range 3 {
		r := f.subscribe(b, "a", streams.Now())
		if !last.IsZero() && r.at != last {
			f.Fatalf("begins at %v, the last event is %v", r.at, last)
		}
		last = f.publish(b, "a", numbers(0, 10)...)[9]
		f.reads(r, last)
		behind := f.subscribe(b, "a", streams.Earliest())
		f.readsEvents(behind, 10*(round+1))
		behind.sub.Close()
		if s := b.Stats(); s.Channels != 1 || s.Subscriptions != 1 {
			f.Fatalf("%+v", s)
		}
		r.sub.Close()
		r.sub.Close()
		f.eventually("leaving", func() bool { return b.Stats().Channels == 0 })
		if s := b.Stats(); s.Held != 0 || s.Subscriptions != 0 {
			f.Fatalf("after leaving: %+v", s)
		}
	}
}

// testQuickLeave joins and leaves channels that are being left all the time;
// what was published meanwhile is never missed.
func testQuickLeave(f fixture) {
	const readers, rounds = 8, 40
	b := f.broker(streams.BrokerOptions{Linger: time.Millisecond})
	names := []string{"a", "b"}
	heads := map[string]streams.ID{}
	for _, name := range names {
		heads[name] = f.head(name).Base
	}
	ctx, stop := context.WithCancel(f.ctx)
	var publishing, reading sync.WaitGroup
	for _, name := range names {
		publishing.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				f.publish(b, name, fmt.Sprint(i))
				pauseFor(ctx, time.Duration(rand.N(3))*time.Millisecond)
			}
		})
	}
	for i := range readers {
		name := names[i%len(names)]
		reading.Go(func() { f.comeAndGo(b, name, heads[name], rounds) })
	}
	reading.Wait()
	stop()
	publishing.Wait()
	f.eventually("leaving", func() bool { return b.Stats().Channels == 0 })
	if s := b.Stats(); s.Held != 0 || s.Subscriptions != 0 {
		f.Fatalf("after leaving: %+v", s)
	}
}

func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (f fixture) comeAndGo(b *streams.Broker, channel string, at streams.ID, rounds int) {
	for range rounds {
		r, err := newReader(f.ctx, b, channel, streams.After(at))
		if err == nil {
			n := 1 + rand.N(3)
			err = r.until(func() bool { return len(r.events) >= n })
			r.sub.Close()
		}
		if err != nil || len(r.gaps) > 0 {
			f.Errorf("at %v: %v", at, err)
			return
		}
		at = r.at
		pauseFor(f.ctx, time.Duration(rand.N(4))*time.Millisecond)
	}
}

// testBrokerClose closes the broker while everybody publishes, reads, comes
// and goes: nothing hangs, nobody is told anything wrong.
func testBrokerClose(f fixture) {
	b := f.broker(streams.BrokerOptions{TailEvents: 10, Linger: time.Millisecond})
	base := f.head("a").Base
	var all sync.WaitGroup
	ctx, stop := context.WithCancel(f.ctx)
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				f.publish(b, "a", "x", "y")
			}
		})
		all.Go(func() {
			for {
				r, err := newReader(f.ctx, b, "a", streams.After(base))
				if errors.Is(err, streams.ErrClosed) {
					return
				}
				if err == nil {
					r.bytes = 300
					for i := 0; i < 50 && err == nil; i++ {
						_, err = r.take()
					}
					r.sub.Close()
				}
				if err != nil {
					f.Errorf("%v", err)
					return
				}
			}
		})
	}
	open := f.subscribe(b, "a", streams.After(base))
	f.eventually("some events", func() bool { return b.Stats().Published > 200 })
	if err := b.Close(); err != nil {
		f.Errorf("Close: %v", err)
	}
	stop()
	all.Wait()
	if _, err := open.take(); err != nil {
		f.Errorf("after Close: %v", err)
	}
	open.sub.Seek(base, nil)
	open.sub.Close()
	if err := b.Close(); err != nil {
		f.Errorf("Close again: %v", err)
	}
}

func testBrokerRefuses(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	if _, err := b.Subscribe(ctx, "a", streams.Rewind(1), streams.NewSignal()); err == nil || errors.Is(err, streams.ErrClosed) {
		f.Errorf("Subscribe: %v", err)
	}
	if err := b.Close(); err != nil {
		f.Errorf("Close: %v", err)
	}
	if _, err := b.Subscribe(f.ctx, "a", streams.Now(), streams.NewSignal()); !errors.Is(err, streams.ErrClosed) {
		f.Errorf("Subscribe: %v", err)
	}
	if s := b.Stats(); s.Subscriptions != 0 {
		f.Errorf("%+v", s)
	}
}

package streamstest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"runnel/streams"
)

var boundTests = map[string]func(fixture){
	"bounds/tails": testTailsBounded,
	"bounds/pages": testPagesBounded,
	"bounds/large": testLargeEvents,
}

// highWater watches what the broker holds, until stop returns the most it was.
func highWater(b *streams.Broker) (stop func() int64) {
	var most int64
	var watching sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	watching.Go(func() {
		for tick := time.NewTicker(time.Millisecond); ctx.Err() == nil; <-tick.C {
			most = max(most, b.Stats().Held)
		}
	})
	return func() int64 {
		cancel()
		watching.Wait()
		return most
	}
}

// testTailsBounded publishes far more than the tails may hold together, to
// readers that keep up and to one per channel that comes late.
func testTailsBounded(f fixture) {
	const channels, events, size = 20, 600, 2000
	const memory = 512 << 10
	b := f.broker(streams.BrokerOptions{Memory: memory})
	stop := highWater(b)
	var all sync.WaitGroup
	for c := range channels {
		name := fmt.Sprint("a:", c)
		live, late := f.subscribe(b, name, streams.Now()), f.subscribe(b, name, streams.Now())
		all.Go(func() {
			large := slices.Repeat([]string{strings.Repeat("x", size)}, 10)
			for range events / len(large) {
				f.publish(b, name, large...)
			}
			if err := late.until(func() bool { return len(late.events) >= events }); err != nil {
				f.Errorf("late: %v", err)
			}
		})
		all.Go(func() {
			if err := live.until(func() bool { return len(live.events) >= events }); err != nil {
				f.Errorf("live: %v", err)
			}
		})
	}
	all.Wait()
	f.within(stop(), memory+pagesBeyond)
}

// pagesBeyond is what pages may hold beyond the budget for a moment: what
// sixteen readings at a time bring while others are still wanted.
const pagesBeyond = 16 * 3 * 256 << 10

func (f fixture) within(most, bound int64) {
	f.Helper()
	f.t.Logf("held at most %d KiB of %d KiB", most>>10, bound>>10)
	if most == 0 || most > bound {
		f.Fatalf("held %d bytes of %d", most, bound)
	}
}

// testPagesBounded has clients return to many channels at once, which hold
// much more than the budget.
func testPagesBounded(f fixture) {
	const channels, events, size = 90, 70, 3500 // one page each
	const memory = 1 << 20
	bases := make([]streams.ID, channels)
	large := make([]streams.Draft, events)
	for i := range large {
		large[i] = text(strings.Repeat("x", size))
	}
	for c := range channels {
		bases[c] = f.head(fmt.Sprint("a:", c)).Base
		f.append(fmt.Sprint("a:", c), plenty, large...)
	}
	b := f.broker(streams.BrokerOptions{Memory: memory})
	stop := highWater(b)
	var all sync.WaitGroup
	var read atomic.Int64
	for c, base := range bases {
		for range 3 {
			r := f.subscribe(b, fmt.Sprint("a:", c), streams.After(base))
			all.Go(func() {
				if err := r.until(func() bool { return len(r.events) >= events }); err != nil {
					f.Errorf("%v", err)
				}
				read.Add(int64(len(r.events)))
			})
		}
	}
	all.Wait()
	if n := read.Load(); n != channels*3*events {
		f.Fatalf("%d events", n)
	}
	f.within(stop(), memory+pagesBeyond)
	f.t.Logf("%d history reads", b.Stats().HistoryReads)
}

// testLargeEvents: an event that fits into no tail, no page and no batch comes
// nevertheless.
func testLargeEvents(f fixture) {
	b := f.broker(streams.BrokerOptions{TailBytes: 1000})
	r := f.subscribe(b, "a", streams.Now())
	r.bytes = 1
	base := r.at
	for range 3 {
		f.publish(b, "a", strings.Repeat("x", 600<<10), "small")
	}
	f.readsEvents(r, 6)
	again := f.subscribe(b, "a", streams.After(base))
	f.readsEvents(again, 6)
	f.noGap(r)
	f.noGap(again)
}

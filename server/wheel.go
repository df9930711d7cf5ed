package server

import (
	"context"
	"sync"
	"time"
)

// wheel calls feeds back at times of their own: one timer serves all, however
// many they are.
type wheel struct {
	tick   time.Duration
	began  time.Time // ticks are counted from then, whatever is done to the clock
	worker *worker   // delivers heartbeats here and now: it has no queue of its own
	stamp  []byte    // what the heartbeats of this turn tell the time with

	mu    sync.Mutex
	spoke map[int64][]*feed // by number of the tick
	now   int64             // the tick last run
}

// newWheel returns a wheel fine enough for intervals of that length.
func newWheel(shortest time.Duration, worker *worker) *wheel {
	tick := min(max(shortest/25, 5*time.Millisecond), time.Second)
	return &wheel{tick: tick, began: time.Now(), worker: worker, spoke: map[int64][]*feed{}}
}

func (w *wheel) number(t time.Time) int64 { return int64(t.Sub(w.began) / w.tick) }

// within is how long to wait at most for something to be done within so long:
// the wheel may call a tick later.
func (w *wheel) within(d time.Duration) time.Duration { return d - w.tick }

// add has the feed called at that time, or up to a tick later, instead of at
// the time that was set before.
func (w *wheel) add(f *feed, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := max(w.number(at), w.now) + 1
	if f.spoke != n {
		f.spoke = n
		w.spoke[n] = append(w.spoke[n], f)
	}
}

func (w *wheel) run(ctx context.Context) {
	t := time.NewTicker(w.tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			w.turn(now)
		}
	}
}

func (w *wheel) turn(now time.Time) {
	w.stamp = timeJSON("time", now)
	for _, f := range w.take(w.number(now)) {
		if next := f.tick(now); !next.IsZero() {
			w.add(f, next)
		}
	}
	w.worker.shrink()
}

// take returns the feeds of all ticks up to number n.
func (w *wheel) take(n int64) (due []*feed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.now < n {
		w.now++
		for _, f := range w.spoke[w.now] {
			if f.spoke == w.now {
				due = append(due, f)
			}
		}
		delete(w.spoke, w.now)
	}
	return due
}

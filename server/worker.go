package server

import (
	"context"
	"sync"
	"time"

	"runnel/streams"
)

// worker delivers to its share of the feeds, one after the other. It never
// waits for a socket.
type worker struct {
	mu    sync.Mutex
	queue []*feed // each feed stands in it at most once
	wake  chan struct{}

	// Scratch of the delivery under way.
	taken    []*feed
	buffer   []byte
	segments []segment
	events   []*streams.Event
	tally    *tally
	crowded  time.Time // when it last turned to a crowd
}

func newWorker(t *tally) *worker {
	return &worker{wake: make(chan struct{}, 1), tally: t}
}

// push queues a feed that has something to deliver.
func (w *worker) push(f *feed) {
	w.mu.Lock()
	w.queue = append(w.queue, f)
	first := len(w.queue) == 1
	w.mu.Unlock()
	if first {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

func (w *worker) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		for w.take(); len(w.taken) > 0; w.take() {
			w.awaitCompany()
			for i, f := range w.taken {
				w.taken[i] = nil
				f.deliver(w)
			}
		}
		w.shrink()
	}
}

// take swaps the queue for what was taken before.
func (w *worker) take() {
	w.mu.Lock()
	w.taken, w.queue = w.queue, w.taken[:0]
	w.mu.Unlock()
}

const (
	// A crowd is so many feeds that writing to them all takes longer than a
	// moment's wait.
	crowd = 64
	// companyPerFeed is what each of them adds to that moment: about a quarter
	// of what a write takes.
	companyPerFeed = time.Microsecond
	longestCompany = time.Millisecond
	// companyLikely says for how many such moments after a crowd was turned to
	// more events are likely to come at once.
	companyLikely = 20
)

// awaitCompany waits, before the worker turns to a crowd, for events that can
// share its writes: a write costs far more than the bytes in it. It does so
// only where a crowd was served just now; an event that comes alone goes out
// at once. At the maximum, feeds get their events sooner for it.
func (w *worker) awaitCompany() {
	n := len(w.taken)
	if n < crowd {
		return
	}
	now := time.Now()
	wait := min(time.Duration(n)*companyPerFeed, longestCompany)
	if now.Sub(w.crowded) < companyLikely*wait {
		time.Sleep(wait)
	}
	w.crowded = now
}

// shrink gives back what a burst needed.
func (w *worker) shrink() {
	if cap(w.buffer) > 4*maxWrite {
		w.buffer = nil
	}
	if cap(w.taken) > 1<<16 {
		w.taken = nil
	}
	clear(w.events[:cap(w.events)])
	clear(w.segments[:cap(w.segments)])
}

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
	turn     []*feed
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
		for w.take(); len(w.turn) > 0; w.take() {
			w.awaitCompany()
			for i, f := range w.turn {
				w.turn[i] = nil
				f.deliver(w)
			}
		}
		w.shrink()
	}
}

// take swaps the queue for what was taken before.
func (w *worker) take() {
	w.mu.Lock()
	w.turn, w.queue = w.queue, w.turn[:0]
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
	n := len(w.turn)
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

// taken counts the events among the first n segments, which the peer gets.
func (w *worker) taken(n int) {
	events := 0
	for i := range w.segments[:n] {
		if w.segments[i].live {
			events++
		}
	}
	if events > 0 {
		w.tally.events.Add(uint64(events))
	}
}

// shrink gives back what a burst needed.
func (w *worker) shrink() {
	if cap(w.buffer) > 4*maxWrite {
		w.buffer = nil
	}
	if cap(w.turn) > 1<<16 {
		w.turn = nil
	}
	clear(w.events[:cap(w.events)])
	clear(w.segments[:cap(w.segments)])
}

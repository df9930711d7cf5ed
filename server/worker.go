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
	queue work
	wake  chan struct{}

	// Scratch of the delivery under way.
	turn     work
	together []*streams.Subscription
	shared   [4]shared // one for each transport, and the several of wsDeflate
	oldest   int       // the one of shared that was made last
	buffer   []byte
	segments []segment
	events   []*streams.Event
	fetched  int // of no use but that its reads are not optimized away
	tally    *tally
	crowded  time.Time // when it last turned to a crowd
}

// work is what a worker has to deliver to.
type work struct {
	feeds []*feed          // each stands here at most once
	woken []*streams.Woken // the feeds of the subscriptions that an event woke
}

func (k *work) none() bool { return len(k.feeds)+len(k.woken) == 0 }

func (k *work) size() int {
	n := len(k.feeds)
	for _, w := range k.woken {
		n += w.Len()
	}
	return n
}

func newWorker(t *tally) *worker {
	return &worker{wake: make(chan struct{}, 1), tally: t}
}

// push queues a feed that has something to deliver.
func (w *worker) push(f *feed) {
	w.mu.Lock()
	first := w.queue.none()
	w.queue.feeds = append(w.queue.feeds, f)
	w.mu.Unlock()
	w.stir(first)
}

// WakeAll implements [streams.Crowd].
func (w *worker) WakeAll(woken *streams.Woken) {
	w.mu.Lock()
	first := w.queue.none()
	w.queue.woken = append(w.queue.woken, woken)
	w.mu.Unlock()
	w.stir(first)
}

// stir wakes the worker if that is the first it has to do.
func (w *worker) stir(first bool) {
	if !first {
		return
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *worker) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		for w.take(); !w.turn.none(); w.take() {
			w.awaitCompany()
			for _, f := range w.turn.feeds {
				f.deliver(w)
			}
			for _, woken := range w.turn.woken {
				w.deliverAll(woken)
			}
		}
		w.shrink()
	}
}

// take swaps the queue for what was taken before.
func (w *worker) take() {
	clear(w.turn.feeds)
	clear(w.turn.woken)
	w.mu.Lock()
	w.turn, w.queue = w.queue, work{w.turn.feeds[:0], w.turn.woken[:0]}
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
	n := w.turn.size()
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

// begin empties the buffer.
func (w *worker) begin() { w.buffer, w.segments = w.buffer[:0], w.segments[:0] }

// end ends a segment where the buffer ends.
func (w *worker) end(s segment) {
	s.end = len(w.buffer)
	w.segments = append(w.segments, s)
}

// shrink gives back what a burst needed.
func (w *worker) shrink() {
	if cap(w.buffer) > 4*maxWrite {
		w.buffer = nil
	}
	if cap(w.turn.feeds) > 1<<16 {
		w.turn.feeds = nil
	}
	clear(w.events[:cap(w.events)])
	clear(w.segments[:cap(w.segments)])
	clear(w.together[:cap(w.together)])
	for i, s := range w.shared {
		w.shared[i] = shared{bytes: s.bytes[:0]}
	}
}

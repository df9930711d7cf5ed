package server

import (
	"slices"
	"time"

	"runnel/streams"
)

// atOnce is how many feeds are looked at together, before any is written to:
// few enough that what was fetched from memory is still at hand then, and that
// events that come meanwhile go out with the rest.
const atOnce = 16

// deliverAll delivers to the feeds of subscriptions that an event woke.
func (w *worker) deliverAll(woken *streams.Woken) {
	for left := woken.Len(); left > 0; left -= len(w.together) {
		w.together = woken.Take(w.together[:0], atOnce)
		w.deliverTogether(w.together)
	}
}

// deliverTogether delivers to feeds of one channel, which mostly need the same
// bytes: looking at each alone, and at the channel for each, would take longer
// than anything but the write.
func (w *worker) deliverTogether(subs []*streams.Subscription) {
	subs = w.claim(subs)
	if len(subs) == 0 {
		return
	}
	batch, moved := streams.Together(subs, w.events[:0], maxWrite)
	same := !slices.ContainsFunc(batch.Events, func(e *streams.Event) bool { return e.Exclude != "" })
	now := time.Now()
	for _, s := range subs[:moved] {
		f := feedOf(s)
		if !batch.Current {
			f.schedule()
		}
		if same {
			f.writeShared(w, s, &batch, now)
		} else {
			w.begin()
			f.encode(w, s, &batch)
			f.write(w, f.outlet.(readyOutlet))
		}
	}
	w.tally.sample(&batch)
	w.events = batch.Events
	for _, s := range subs[moved:] {
		feedOf(s).deliver(w)
	}
}

// claim returns the subscriptions whose feeds need nothing but what follows
// them. These are being delivered to from now on; the others were.
func (w *worker) claim(subs []*streams.Subscription) []*streams.Subscription {
	w.fetch(subs)
	plain := subs[:0]
	for _, s := range subs {
		switch f := feedOf(s); {
		case !f.claim():
		case f.plain():
			plain = append(plain, s)
		default:
			f.deliver(w)
		}
	}
	return plain
}

// fetch reads a little of all that delivering to the feeds takes: the processor
// has many plain reads under way at once, but goes from one lock to the next
// only when it has the first.
func (w *worker) fetch(subs []*streams.Subscription) {
	for _, s := range subs {
		f := feedOf(s)
		if f.worker == w {
			w.fetched++
		}
		if d, ok := f.outlet.(*descriptor); ok {
			w.fetched += d.fetch()
		}
	}
}

func feedOf(s *streams.Subscription) *feed { return s.Waiter().(*feed) }

// claim begins a delivery, unless one is due or under way: that takes care of
// what is new, too.
func (f *feed) claim() bool {
	if f.state.CompareAndSwap(idle, delivering) {
		return true
	}
	f.schedule()
	return false
}

// plain reports whether the feed has but events of one subscription to deliver,
// in bytes that others get as well, into a socket of its own.
func (f *feed) plain() bool {
	_, many := f.transport.(*sseMany)
	_, ready := f.outlet.(readyOutlet)
	if many || !ready || len(f.left) > 0 {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.subs) == 1 && len(f.control) == 0 && !f.closing && !f.ended
}

// writeShared writes a batch that is the same for everybody.
func (f *feed) writeShared(w *worker, s *streams.Subscription, batch *streams.Batch, now time.Time) {
	same := w.share(f.transport, s.Channel(), batch.Events)
	out := f.outlet.(readyOutlet)
	n, err := out.tryWrite(same)
	f.written(n, now)
	if n < len(same) {
		w.begin()
		f.encode(w, s, batch)
		f.settle(w, out, n, err)
		return
	}
	w.tally.events.Add(uint64(len(batch.Events)))
	f.delivered()
}

// shared is events as a transport writes them.
type shared struct {
	transport   transport
	first, last *streams.Event
	events      int
	bytes       []byte
}

// share returns events of a channel as the transport writes them. They are put
// together once for all feeds that get the same next.
func (w *worker) share(t transport, channel string, events []*streams.Event) []byte {
	n := len(events)
	if n == 0 {
		return nil
	}
	for i := range w.shared {
		if s := &w.shared[i]; s.events == n && s.first == events[0] && s.last == events[n-1] && s.transport == t {
			return s.bytes
		}
	}
	w.oldest = (w.oldest + 1) % len(w.shared)
	s := &w.shared[w.oldest]
	*s = shared{t, events[0], events[n-1], n, s.bytes[:0]}
	for _, e := range events {
		s.bytes = t.event(s.bytes, channel, e)
	}
	return s.bytes
}

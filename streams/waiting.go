package streams

import (
	"slices"
	"sync"
)

// waits says what a subscription waits for.
type waits uint8

const (
	forNothing waits = iota
	forEvent         // the next event: it stands among the first of subscribed
	forPage          // a page of history: it stands in behind
)

// A channel's subscriptions stand in one array, those that wait for the next
// event first. So an event finds them without following a pointer from each to
// the next, which takes a fetch from memory each, one after the other.

// enlist takes in a subscription. The channel is locked, as for all that follow.
func (c *channel) enlist(s *Subscription) {
	s.place = uint32(len(c.subscribed))
	c.subscribed = append(c.subscribed, s)
	c.stir()
}

// delist takes it out. What many readers took is given back when few are left.
func (c *channel) delist(s *Subscription) {
	c.unlist(s)
	last := len(c.subscribed) - 1
	c.exchange(s, last)
	c.subscribed[last] = nil
	c.subscribed = c.subscribed[:last]
	if cap(c.subscribed) > 4*last+64 {
		c.subscribed = slices.Clone(c.subscribed)
	}
	c.stir()
}

// await has the subscription wait for the next event.
func (c *channel) await(s *Subscription) {
	s.waits = forEvent
	c.exchange(s, c.waiting)
	c.waiting++
}

// unlist has it wait for nothing.
func (c *channel) unlist(s *Subscription) {
	switch s.waits {
	case forEvent:
		s.waits = forNothing
		c.waiting--
		c.exchange(s, c.waiting)
	case forPage:
		c.behind.remove(s)
	}
}

// exchange brings it to a place in subscribed, and whoever stood there to its
// own.
func (c *channel) exchange(s *Subscription, place int) {
	other := c.subscribed[place]
	c.subscribed[s.place], other.place = other, s.place
	c.subscribed[place], s.place = s, uint32(place)
}

// takeWaiting returns all that wait for the next event, to be woken once the
// channel's lock is released.
func (c *channel) takeWaiting() *wakeup {
	w := wakeups.Get().(*wakeup)
	w.subs = append(w.subs, c.subscribed[:c.waiting]...)
	c.waiting = 0
	for _, s := range w.subs {
		s.waits = forNothing
		s.due.Store(true)
	}
	return w
}

// wakeup is subscriptions on their way to be woken.
type wakeup struct {
	subs []*Subscription
}

var wakeups = sync.Pool{New: func() any { return new(wakeup) }}

// wake tells everyone's waiter. Call it without holding a lock.
func (w *wakeup) wake() {
	for i, s := range w.subs {
		s.waiter.Wake(s)
		w.subs[i] = nil
	}
	w.subs = w.subs[:0]
	wakeups.Put(w)
}

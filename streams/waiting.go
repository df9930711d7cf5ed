package streams

import (
	"math"
	"slices"
	"sync"
)

// audience is a channel's subscriptions that are woken together. They stand in
// one array, those that wait for the next event first: so an event finds them
// without fetching any of them from memory, which is left to who serves them.
type audience struct {
	crowd   Crowd // nil: each is woken by its own waiter
	subs    []*Subscription
	waiting int
}

// audienceOf returns the number of the waiter's audience: a channel has one for
// each of the node's crowds, and one for those without. The channel is locked,
// as for all that follow.
func (c *channel) audienceOf(w Waiter) uint16 {
	var crowd Crowd
	if m, ok := w.(Member); ok {
		crowd = m.Crowd()
	}
	for i := range c.audiences {
		if c.audiences[i].crowd == crowd {
			return uint16(i)
		}
	}
	c.audiences = append(c.audiences, audience{crowd: crowd})
	return uint16(len(c.audiences) - 1)
}

// enlist takes in a subscription.
func (c *channel) enlist(s *Subscription) {
	s.audience = c.audienceOf(s.waiter)
	a := &c.audiences[s.audience]
	s.place = uint32(len(a.subs))
	a.subs = append(a.subs, s)
	c.stir()
}

// delist takes it out. What many readers took is given back when few are left.
func (c *channel) delist(s *Subscription) {
	c.unlist(s)
	a := &c.audiences[s.audience]
	last := len(a.subs) - 1
	a.exchange(s, last)
	s.place = nowhere
	a.subs[last] = nil
	a.subs = a.subs[:last]
	if cap(a.subs) > 4*last+64 {
		a.subs = slices.Clone(a.subs)
	}
	c.stir()
}

// nowhere is the place of who was taken out: it waits for nothing.
const nowhere = math.MaxUint32

// await has the subscription wait for the next event.
func (c *channel) await(s *Subscription) {
	a := &c.audiences[s.audience]
	a.exchange(s, a.waiting)
	a.waiting++
}

// awaits reports whether it waits for the next event.
func (c *channel) awaits(s *Subscription) bool {
	return int(s.place) < c.audiences[s.audience].waiting
}

// unlist has it wait for nothing.
func (c *channel) unlist(s *Subscription) {
	switch {
	case c.awaits(s):
		a := &c.audiences[s.audience]
		a.waiting--
		a.exchange(s, a.waiting)
	case s.behind:
		c.behind.remove(s)
	}
}

// exchange brings it to a place, and whoever stood there to its own.
func (a *audience) exchange(s *Subscription, place int) {
	other := a.subs[place]
	a.subs[s.place], other.place = other, s.place
	a.subs[place], s.place = s, uint32(place)
}

// count returns how many subscriptions there are, and how many of them wait
// for the next event.
func (c *channel) count() (open, waiting int) {
	for i := range c.audiences {
		open += len(c.audiences[i].subs)
		waiting += c.audiences[i].waiting
	}
	return open, waiting
}

// takeWaiting returns all that wait for the next event, to be woken once the
// channel's lock is released.
func (c *channel) takeWaiting() *wakeup {
	w := wakeups.Get().(*wakeup)
	for i := range c.audiences {
		a := &c.audiences[i]
		switch waiting := a.subs[:a.waiting]; {
		case len(waiting) == 0:
		case a.crowd != nil:
			w.crowds = append(w.crowds, wake(a.crowd, waiting))
		default:
			w.subs = append(w.subs, waiting...)
		}
		a.waiting = 0
	}
	return w
}

// wakeup is subscriptions on their way to be woken.
type wakeup struct {
	subs   []*Subscription // one by one
	crowds []*Woken
}

var wakeups = sync.Pool{New: func() any { return new(wakeup) }}

// wake tells everyone's waiter, or crowd. Call it without holding a lock.
func (w *wakeup) wake() {
	for _, s := range w.subs {
		s.due.Store(true)
		s.waiter.Wake(s)
	}
	for _, c := range w.crowds {
		c.crowd.WakeAll(c)
	}
	clear(w.subs)
	clear(w.crowds)
	w.subs, w.crowds = w.subs[:0], w.crowds[:0]
	wakeups.Put(w)
}

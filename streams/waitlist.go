package streams

import "sync"

// waitlist is the subscriptions that wait for one thing, linked through
// themselves: joining and leaving cost the same with one as with a million.
type waitlist struct {
	head, last *Subscription
	n          int
}

// waits says what a subscription waits for, and so in which list it stands.
type waits uint8

const (
	forNothing waits = iota
	forEvent         // the next event: in live
	forPage          // a page of history: in behind
)

func (l *waitlist) add(s *Subscription, what waits) {
	s.waits, s.prev, s.next = what, l.last, nil
	if l.last != nil {
		l.last.next = s
	} else {
		l.head = s
	}
	l.last = s
	l.n++
}

func (l *waitlist) remove(s *Subscription) {
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		l.head = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	} else {
		l.last = s.prev
	}
	s.waits, s.prev, s.next = forNothing, nil, nil
	l.n--
}

// unlist has the subscription wait for nothing.
func (c *channel) unlist(s *Subscription) {
	switch s.waits {
	case forEvent:
		c.live.remove(s)
	case forPage:
		c.behind.remove(s)
	}
}

// take removes the subscriptions that match and returns them, to be woken once
// the channel's lock is released.
func (l *waitlist) take(match func(*Subscription) bool) *wakeup {
	w := wakeups.Get().(*wakeup)
	for s := l.head; s != nil; {
		next := s.next
		if match == nil || match(s) {
			l.remove(s)
			s.due.Store(true)
			w.subs = append(w.subs, s)
		}
		s = next
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

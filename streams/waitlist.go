package streams

// waitlist is the subscriptions that wait for a page of history, linked through
// themselves: joining and leaving cost the same with one as with a million.
type waitlist struct {
	head, last *Subscription
}

func (l *waitlist) add(s *Subscription) {
	s.behind, s.prev, s.next = true, l.last, nil
	if l.last != nil {
		l.last.next = s
	} else {
		l.head = s
	}
	l.last = s
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
	s.behind, s.prev, s.next = false, nil, nil
}

// take removes the subscriptions that match and returns them, to be woken once
// the channel's lock is released.
func (l *waitlist) take(match func(*Subscription) bool) *wakeup {
	w := wakeups.Get().(*wakeup)
	for s := l.head; s != nil; {
		next := s.next
		if match(s) {
			l.remove(s)
			w.subs = append(w.subs, s)
		}
		s = next
	}
	return w
}

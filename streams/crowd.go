package streams

import "sync"

// Crowd serves many subscriptions. Those of a channel that wait for its next
// event are woken at once, whatever their number.
type Crowd interface {
	// WakeAll is Wake for all subscriptions in w, which is the crowd's until it
	// has taken them. It must not block, nor call the subscriptions.
	WakeAll(w *Woken)
}

// Member is a Waiter that an event wakes together with the rest of its crowd.
// Only what concerns its subscription alone wakes it by Wake.
type Member interface {
	Waiter
	// Crowd is the same for the whole life of its subscriptions.
	Crowd() Crowd
}

// Woken is subscriptions of one channel that an event has woken.
type Woken struct {
	crowd Crowd
	subs  []*Subscription
	taken int
}

var wokens = sync.Pool{New: func() any { return new(Woken) }}

func wake(crowd Crowd, subs []*Subscription) *Woken {
	w := wokens.Get().(*Woken)
	w.crowd, w.subs, w.taken = crowd, append(w.subs[:0], subs...), 0
	return w
}

// Len is how many are still to be taken.
func (w *Woken) Len() int { return len(w.subs) - w.taken }

// Take appends up to n subscriptions to dst, which are then due. Once all are
// taken, w must not be used any more.
func (w *Woken) Take(dst []*Subscription, n int) []*Subscription {
	taken := w.subs[w.taken:min(w.taken+n, len(w.subs))]
	for _, s := range taken {
		s.due.Store(true)
	}
	dst = append(dst, taken...)
	if w.taken += len(taken); w.taken == len(w.subs) {
		clear(w.subs)
		wokens.Put(w)
	}
	return dst
}

// Together is Next for subscriptions of one channel that stand at the same
// position, as those that were woken together mostly do: one look at the channel
// serves them all. It returns what follows the position of the first, and how
// many it moved past that, which it brings to the front. The others are to be
// asked by Next, all of them if that is none.
func Together(subs []*Subscription, dst []*Event, bytes int) (b Batch, moved int) {
	first := subs[0]
	c := first.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.live(first) {
		return Batch{}, 0
	}
	b = Batch{From: first.position, Live: true}
	number := first.number
	var next uint64
	b.Events, next = c.tail.read(number, 0, dst, bytes)
	b.Current = next == c.tail.end()
	for i, s := range subs {
		if s.number != number || s.position != b.From || !c.live(s) {
			continue
		}
		s.number = next
		s.moveTo(b.Events)
		s.due.Store(!b.Current)
		if s.awaited = b.Current; b.Current {
			c.await(s)
		}
		subs[moved], subs[i] = s, subs[moved]
		moved++
	}
	b.Position = first.position
	return b, moved
}

// live reports whether the subscription had all of the channel that there was,
// and reads on in the tail.
func (c *channel) live(s *Subscription) bool {
	return s.awaited && !s.closed && !s.behind && !c.awaits(s) && s.doubt == nil && !s.resuming &&
		s.number != 0 && s.number >= c.tail.first
}

package streams

import "sync/atomic"

// Waiter is told when it is worth calling Next again.
type Waiter interface {
	// Wake is called once after each Next that returned Current or nothing,
	// unless the waiter is a [Member]. It must not block, nor call the
	// subscription.
	Wake(*Subscription)
}

// Signal is a Waiter for those who wait in a select.
type Signal chan struct{}

// NewSignal returns a Signal that remembers one wake-up.
func NewSignal() Signal { return make(Signal, 1) }

// Wake makes the channel readable.
func (s Signal) Wake(*Subscription) {
	select {
	case s <- struct{}{}:
	default:
	}
}

// Subscription is one reader's position in one channel. It holds no events:
// a reader that stops costs a position. Next, Seek and Close may be called
// from any goroutine, but by one at a time.
type Subscription struct {
	// A million of these are a node's memory, and fetching them from it is most
	// of what an event costs: what few need stands in doubt.
	channel *channel
	waiter  Waiter
	due     atomic.Bool

	// Guarded by channel.mu.
	behind     bool // it waits for a page of history: it stands in channel.behind
	awaited    bool // it waits, or waited, for what comes next
	resuming   bool // not yet counted as a resume
	closed     bool
	audience   uint16        // its number in channel.audiences
	place      uint32        // in the audience
	prev, next *Subscription // in channel.behind
	number     uint64        // of the tail's event that comes next; 0: to be found by position
	live       uint64        // the tail's end when it began: it was not there for what came live before
	position   ID
	doubt      *doubt // nil for who reads on where it stood
}

// Batch is what follows a subscription's position.
type Batch struct {
	Gap      *Gap     // comes before Events, nil if nothing is missing
	Events   []*Event // in order; ephemeral ones among them
	From     ID       // the position before
	Position ID       // the position after
	Current  bool     // nothing follows for now
	Live     bool     // the reader had waited for Events
}

// Empty reports whether there is nothing to deliver.
func (b *Batch) Empty() bool { return b.Gap == nil && len(b.Events) == 0 }

// Channel returns the channel's name.
func (s *Subscription) Channel() string { return s.channel.name }

// Waiter returns who the subscription was made for.
func (s *Subscription) Waiter() Waiter { return s.waiter }

// Due reports whether Next may have something to say.
func (s *Subscription) Due() bool { return s.due.Load() }

// Position is where the subscription stands.
func (s *Subscription) Position() ID {
	s.channel.mu.Lock()
	defer s.channel.mu.Unlock()
	return s.position
}

// Next returns what follows the position, appended to dst and about bytes of
// Event.Size at most, and moves the position past it. It never waits: when it
// returns nothing, or Current, the waiter is woken once there is more.
func (s *Subscription) Next(dst []*Event, bytes int) Batch {
	c := s.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	s.due.Store(false)
	b := Batch{Events: dst, From: s.position}
	switch {
	case s.closed:
	case s.behind:
	case c.awaits(s):
		b.Current = true
	default:
		untold := s.untold()
		s.advance(&b, bytes)
		if untold != nil && s.doubt == nil {
			b.Gap = untold.with(b.Gap, b.Events[len(dst):])
		}
	}
	b.Position = s.position
	if s.resuming && (b.Current || b.Gap != nil || s.position != b.From) {
		s.resuming = false
		c.broker.count.resumed(b.Gap)
	}
	return b
}

// advance asks the tail, then the pages at hand, then has the log read.
func (s *Subscription) advance(b *Batch, bytes int) {
	c := s.channel
	if c.tail.first > s.number || s.number == 0 {
		s.number, _ = c.tail.number(s.position)
	}
	v := s.takeVerdict()
	if v == aheadOf && s.number == 0 {
		s.judgeAhead(b)
		return
	}
	if s.number != 0 {
		s.fromTail(b, bytes)
	} else if p := c.pageFor(s.position); p != nil {
		s.fromStanding(b, p.standing, bytes)
	} else if v == atEnd && s.doubt.asked == c.tail.end() {
		s.awaitTail(b)
	} else {
		c.behind.add(s)
		c.startReading()
		return
	}
	s.endDoubt()
}

// awaitTail waits for the tail, which is behind: the log has nothing after the
// position, and the tail, which has not moved since, does not reach it. Had it
// moved, what woke everybody would have been missed.
func (s *Subscription) awaitTail(b *Batch) {
	b.Current = true
	s.channel.await(s)
	s.channel.broker.check(s.channel)
}

func (s *Subscription) fromTail(b *Batch, bytes int) {
	t := &s.channel.tail
	had := len(b.Events)
	b.Events, s.number = t.read(s.number, s.live, b.Events, bytes)
	s.moveTo(b.Events[had:])
	b.Live = s.awaited
	if s.awaited = s.number == t.end(); !s.awaited {
		s.due.Store(true)
		return
	}
	b.Current = true
	s.channel.await(s)
}

// fromStanding delivers a page's gap if the position is the one before it, and
// the events behind the position.
func (s *Subscription) fromStanding(b *Batch, st standing, bytes int) {
	if st.gap != nil && st.gap.After == s.position {
		b.Gap = st.gap
		s.position = st.gap.Last
	}
	had := len(b.Events)
	for _, e := range st.events[st.offset(s.position):] {
		if bytes <= 0 {
			break
		}
		bytes -= e.Size()
		b.Events = append(b.Events, e)
	}
	s.moveTo(b.Events[had:])
	s.due.Store(true)
}

// moveTo moves the position past the stored events.
func (s *Subscription) moveTo(events []*Event) {
	for i := len(events) - 1; i >= 0; i-- {
		if !events[i].Ephemeral() {
			s.position = events[i].ID
			return
		}
	}
}

// Seek puts the position back to one that the last Next went past, because not
// all of it could be delivered; a gap that was not is told again. Ephemeral
// events are not read again.
func (s *Subscription) Seek(position ID, gap *Gap) {
	c := s.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unlist(s)
	c.stir()
	s.endDoubt()
	s.position, s.number, s.awaited = position, 0, false
	if gap != nil {
		s.position = gap.Last
		s.doubt = &doubt{gap: gap}
	}
	s.due.Store(true)
}

// Close ends the subscription; the waiter is not woken any more, though a call
// may still be under way. It may be called more than once.
func (s *Subscription) Close() {
	c := s.channel
	c.mu.Lock()
	was := s.closed
	s.closed = true
	s.endDoubt()
	if !was {
		c.delist(s)
	}
	c.mu.Unlock()
	if !was {
		c.broker.release(c)
	}
}

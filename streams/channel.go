package streams

import (
	"sync"
	"time"
)

// channel is what a node knows of a channel somebody reads: its tail, the
// pages read of late, and who waits. The node follows it once for all readers.
type channel struct {
	name   string
	broker *Broker

	// Guarded by broker.mu.
	readers int
	idle    time.Time     // since when there are none
	left    chan struct{} // not nil: being left, closed when that is done
	stop    func()        // ends following

	busyAt int // its place in broker.busy, guarded by that

	mu         sync.Mutex
	busy       bool          // it is in broker.busy
	gone       bool          // left: what still comes in is nobody's
	reading    bool          // a goroutine reads for those behind
	checkDue   bool          // it is in broker.checks, guarded by that
	ready      chan struct{} // closed once the tail knows where the channel stands
	tail       tail
	behind     waitlist   // wait for a page of history
	pages      []*page    // oldest first
	audiences  []audience // all subscriptions that are open
	aheadSince time.Time
	fork       *Fork // seen, and to be noted again once something follows it
	accounted  int   // bytes of tail and pages that the broker's budget counts
	paged      int   // those of pages among them
}

// begun is the ready of all channels whose tail knows where they stand: one of
// their own would be a third of what a quiet channel takes.
var begun = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func newChannel(name string, b *Broker) *channel {
	c := &channel{name: name, broker: b, ready: make(chan struct{}), tail: tail{holder: b}}
	c.stir()
	return c
}

// known is closed once the tail knows where the channel stands.
func (c *channel) known() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ready
}

// Deliver takes an event that the log brings: into the tail if it follows,
// else the log is to be read.
func (c *channel) Deliver(e *Event) {
	c.mu.Lock()
	switch c.tail.offer(e) {
	case heardNew:
		c.settle()
		w, fork := c.takeWaiting(), c.followed()
		c.mu.Unlock()
		w.wake()
		if fork != nil {
			c.broker.refreshSoon(c)
		}
	case heardHole:
		c.mu.Unlock()
		c.broker.check(c)
	default:
		c.mu.Unlock()
	}
}

// Resync has the channel compared with the log.
func (c *channel) Resync() { c.broker.check(c) }

// begin sets where the tail starts, the first time that is known.
func (c *channel) begin(at ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.tail.known {
		c.tail.reset(at)
		close(c.ready)
		c.ready = begun
	}
}

// newest is the last ID the node heard of; zero while it knows nothing.
func (c *channel) newest() ID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tail.newest
}

// differs reports whether the log's last ID is news. For a channel that was
// left it no longer is.
func (c *channel) differs(head Head) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if head.unused(c.tail.newest) {
		c.tail.rename(head.Last)
	}
	if c.tail.newest == head.Last {
		c.aheadSince = time.Time{}
	}
	return !c.gone && c.tail.newest != head.Last
}

// isGone reports whether the channel was left.
func (c *channel) isGone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone
}

// settle keeps the tail within the bounds of a channel and of the node. A tail
// may hold nothing: readers then find their events in the log.
func (c *channel) settle() {
	o := &c.broker.options
	c.tail.drop(c.tail.excess(o.TailEvents, o.TailBytes))
	c.account()
	for len(c.tail.events) > 0 && c.broker.overBudget() {
		c.tail.drop((len(c.tail.events) + 1) / 2)
		c.account()
		c.broker.sweepSoon()
	}
}

// account tells the broker's budget what the channel holds. A call of the log
// that was under way when the channel was left can still bring something.
func (c *channel) account() {
	if c.gone {
		c.tail.drop(len(c.tail.events))
		c.forgetPages(len(c.pages))
	}
	paged := 0
	for _, p := range c.pages {
		paged += p.size
	}
	size := c.tail.size + paged
	c.broker.held.Add(int64(size - c.accounted))
	c.broker.paged.Add(int64(paged - c.paged))
	c.accounted, c.paged = size, paged
	if size > 0 {
		c.stir()
	}
}

// age forgets what came before a time.
func (c *channel) age(tail, pages time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tail.drop(c.tail.older(tail))
	c.dropPages(pages)
	c.account()
	c.calm()
}

// forget gives back all that the channel holds, for good.
func (c *channel) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	c.account()
	c.calm()
}

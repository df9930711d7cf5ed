package streams

import (
	"context"
	"sync"
	"time"
)

// refreshAtOnce is how many tails are read anew at the same time.
const refreshAtOnce = 16

// refreshes is the channels whose tail is to be read anew. That has goroutines
// of its own: subscribers wait for the comparison of their channel, which must
// not wait for a slow page of another.
type refreshes struct {
	mu      sync.Mutex
	due     map[*channel]struct{}
	running int
}

func (b *Broker) refreshSoon(c *channel) {
	r := &b.refreshes
	r.mu.Lock()
	defer r.mu.Unlock()
	r.due[c] = struct{}{}
	if r.running < refreshAtOnce && b.ctx.Err() == nil {
		r.running++
		b.tasks.Go(b.runRefreshes)
	}
}

func (b *Broker) runRefreshes() {
	for c := b.refreshes.next(); c != nil; c = b.refreshes.next() {
		if err := b.refresh(c); err != nil {
			b.logFailed("read the tail anew", c.name, err)
			b.pause(checkBackoff)
			b.check(c)
		}
	}
}

// next returns nil, and counts the caller out, when nothing is due.
func (r *refreshes) next() *channel {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.due {
		delete(r.due, c)
		return c
	}
	r.running--
	return nil
}

// refresh reads what follows the tail's newest event into it.
func (b *Broker) refresh(c *channel) error {
	ctx, cancel := context.WithTimeout(b.ctx, readTimeout)
	defer cancel()
	from := c.newest()
	b.count.Reads.Add(1)
	page, err := b.log.Range(ctx, c.name, after(from, pageEvents, pageBytes))
	if err != nil {
		return err
	}
	st := place(c.name, from, page)
	if st.ahead && c.stillAhead() {
		time.AfterFunc(aheadRetry, func() { b.check(c) })
		return nil
	}
	if st.sawLoss(from) {
		if err := b.noteFork(ctx, c, from, st, page); err != nil {
			return err
		}
	}
	c.take(from, st, page)
	return b.finishFork(ctx, c)
}

// take brings the tail up to a page that was read after position from, which
// stands there as st says. Events may have come in meanwhile.
func (c *channel) take(from ID, st standing, page Page) {
	c.mu.Lock()
	hole := st.ahead || st.fork != nil || st.gap != nil
	switch {
	case hole && c.tail.newest != from:
		// What was read is about a position the tail has left.
		c.mu.Unlock()
		c.broker.check(c)
		return
	case hole, page.More:
		// A hole, or too much to catch up with: the tail starts anew where the
		// log is now, and every reader asks the log where it stands.
		c.tail.reset(page.Last)
		if hole {
			c.forgetPages(len(c.pages)) // they may be of a past that the log has lost
		}
	default:
		if st.from != from && c.tail.newest == from {
			c.tail.rename(st.from)
		}
		for _, e := range st.events {
			c.tail.offer(e)
		}
	}
	c.aheadSince = time.Time{}
	c.settle()
	c.stir()
	w := c.takeWaiting()
	c.mu.Unlock()
	w.wake()
	if len(st.events) < len(page.Events) {
		c.broker.check(c)
	}
}

// stillAhead reports whether the tail has been above the log for less than the
// time in which that may be a passing matter.
func (c *channel) stillAhead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.aheadSince.IsZero() {
		c.aheadSince = time.Now()
	}
	return time.Since(c.aheadSince) < aheadFor
}

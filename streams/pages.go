package streams

import (
	"context"
	"sort"
	"time"
)

// page is a piece of history that was read for one position and answers for
// every position in it, so that clients that return together share one read.
type page struct {
	standing
	read time.Time
	size int
}

const (
	// A page of history is read in so many events and bytes at most: large
	// enough to be worth a round trip, small enough for hundreds in flight.
	pageEvents = 512
	pageBytes  = 256 << 10

	// pagesPerChannel and pageLife bound what is kept of them: those who came
	// back together read on within a moment, everybody else reads anew.
	pagesPerChannel = 4
	pageLife        = 2 * time.Second

	// readsAtOnce bounds the pages in flight on a node.
	readsAtOnce = 16

	readTimeout = 10 * time.Second
	readBackoff = 2 * time.Second
)

// offset is the index of the first event after position p.
func (st *standing) offset(p ID) int {
	return sort.Search(len(st.events), func(i int) bool { return p.Less(st.events[i].ID) })
}

// answers reports whether something follows p in the page: p is where it
// begins, or the ID of one of its events, but the last.
func (st *standing) answers(p ID) bool {
	if st.gap != nil && p == st.gap.After {
		return true
	}
	i := st.offset(p)
	if i == len(st.events) {
		return false
	}
	return st.events[i].Prev == p
}

// pageFor returns a page at hand that answers for the position, or nil.
func (c *channel) pageFor(p ID) *page {
	for i := len(c.pages) - 1; i >= 0; i-- {
		if c.pages[i].answers(p) {
			return c.pages[i]
		}
	}
	return nil
}

// keep adds a page and forgets the oldest beyond the bound.
func (c *channel) keep(st standing) {
	p := &page{standing: st, read: time.Now()}
	for _, e := range st.events {
		p.size += e.Size()
	}
	c.pages = append(c.pages, p)
	if n := len(c.pages); n > pagesPerChannel || n > 1 && c.broker.overBudget() {
		c.pages = append([]*page(nil), c.pages[1:]...)
	}
	c.account()
}

// dropPages forgets the pages read before a time.
func (c *channel) dropPages(before time.Time) {
	n := sort.Search(len(c.pages), func(i int) bool { return !c.pages[i].read.Before(before) })
	if n == len(c.pages) {
		c.pages = nil
	} else {
		c.pages = c.pages[n:]
	}
}

// startReading has the channel's one reader serve those who are behind.
func (c *channel) startReading() {
	if c.reading || c.broker.ctx.Err() != nil {
		return
	}
	c.reading = true
	c.broker.tasks.Go(c.readForThoseBehind)
}

// readForThoseBehind reads a page for whoever waits longest, wakes all it
// serves, and ends when nobody is behind any more.
func (c *channel) readForThoseBehind() {
	wait := 50 * time.Millisecond
	for {
		p, ok := c.longestBehind()
		if !ok {
			return
		}
		st, err := c.broker.readAt(c.name, p)
		if err != nil {
			c.broker.logFailed("read history", c.name, err)
			c.broker.pause(wait)
			wait = min(2*wait, readBackoff)
			continue
		}
		c.serve(p, st).wake()
	}
}

// longestBehind returns the position of who waits longest for history; with
// nobody left, or the broker closed, the reading is over.
func (c *channel) longestBehind() (ID, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.behind.head == nil || c.broker.ctx.Err() != nil {
		c.reading = false
		return ID{}, false
	}
	return c.behind.head.position, true
}

// serve takes what was read at p to those it concerns.
func (c *channel) serve(p ID, st standing) *wakeup {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := atEnd
	if st.ahead {
		v, c.logEnd = aheadOf, st.last
	}
	if st.answers(p) {
		c.keep(st)
		v = noVerdict
	}
	return c.behind.take(func(s *Subscription) bool {
		if s.position == p {
			s.verdict = v
			return true
		}
		return st.answers(s.position)
	})
}

// readAt reads what follows a position, waiting for its turn.
func (b *Broker) readAt(channel string, p ID) (standing, error) {
	ctx, cancel := context.WithTimeout(b.ctx, readTimeout)
	defer cancel()
	select {
	case b.reads <- struct{}{}:
		defer func() { <-b.reads }()
	case <-ctx.Done():
		return standing{}, ctx.Err()
	}
	b.count.Reads.Add(1)
	pg, err := b.log.Range(ctx, channel, after(p, pageEvents, pageBytes))
	if err != nil {
		return standing{}, err
	}
	return place(channel, p, pg), nil
}

package streams

import (
	"context"
	"slices"
	"sort"
	"time"
)

// page is a piece of history that was read for one position and answers for
// every position in it, so that clients that return together share one read.
type page struct {
	standing
	read  time.Time
	asked uint64 // where the tail ended when it was read
	size  int
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

	// pressedPageLife is the pageLife while the budget is exceeded: enough for
	// those the page was read for to come by.
	pressedPageLife = 100 * time.Millisecond

	// readsAtOnce bounds the pages in flight on a node.
	readsAtOnce = 16

	readTimeout = 10 * time.Second

	// After a failed read the next one waits, longer each time.
	readBackoffMin = 50 * time.Millisecond
	readBackoffMax = 2 * time.Second
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

// pageFor returns a page at hand that answers for the position, or nil. That
// nothing follows a gap holds only as long as nothing has come since.
func (c *channel) pageFor(p ID) *page {
	for _, page := range slices.Backward(c.pages) {
		if page.answers(p) && (len(page.events) > 0 || page.asked == c.tail.end()) {
			return page
		}
	}
	return nil
}

// keep adds a page and forgets the oldest beyond the bound.
func (c *channel) keep(st standing, asked uint64) {
	p := &page{standing: st, read: time.Now(), asked: asked}
	for _, e := range st.events {
		p.size += e.Size()
		e.holder = c.broker
	}
	c.pages = append(c.pages, p)
	if n := len(c.pages); n > pagesPerChannel || n > 1 && c.broker.overBudget() {
		c.forgetPages(1)
	}
	c.account()
}

// dropPages forgets the pages read before a time.
func (c *channel) dropPages(before time.Time) {
	n := sort.Search(len(c.pages), func(i int) bool { return !c.pages[i].read.Before(before) })
	c.forgetPages(n)
}

// forgetPages forgets the n oldest.
func (c *channel) forgetPages(n int) {
	for _, p := range c.pages[:n] {
		for _, e := range p.events {
			e.letGo()
		}
	}
	if c.pages = slices.Delete(c.pages, 0, n); len(c.pages) == 0 {
		c.pages = nil
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
	wait := readBackoffMin
	for {
		p, asked, ok := c.longestBehind()
		if !ok {
			return
		}
		st, err := c.broker.readAt(c.name, p)
		if err != nil {
			c.broker.logFailed("read history", c.name, err)
			c.broker.pause(wait)
			wait = min(2*wait, readBackoffMax)
			continue
		}
		wait = readBackoffMin
		c.serve(p, asked, st).wake()
	}
}

// longestBehind returns the position of who waits longest for history, and
// where the tail ends; with nobody left, or the broker closed, the reading is
// over.
func (c *channel) longestBehind() (p ID, asked uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.behind.head == nil || c.broker.ctx.Err() != nil {
		c.reading = false
		return ID{}, 0, false
	}
	return c.behind.head.position, c.tail.end(), true
}

// serve takes what was read at p, when the tail ended at asked, to those it
// concerns.
func (c *channel) serve(p ID, asked uint64, st standing) *wakeup {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, at := atEnd, p
	if st.ahead {
		v = aheadOf
	}
	if st.gap == nil {
		at = st.from
	}
	if st.answers(at) {
		c.keep(st, asked)
		v = noVerdict
	}
	return c.behind.take(func(s *Subscription) bool {
		if s.position == p {
			s.position = at
			s.judge(v, asked, st.last)
			return true
		}
		return st.answers(s.position)
	})
}

// readAt reads what follows a position, waiting for its turn.
func (b *Broker) readAt(channel string, p ID) (standing, error) {
	ctx, cancel := context.WithTimeout(b.ctx, readTimeout)
	defer cancel()
	return b.standingAt(ctx, channel, p)
}

// standingAt reads what follows a position; for one that was lost, what follows
// its fork, which is below it and may have been lost at an earlier one.
func (b *Broker) standingAt(ctx context.Context, channel string, p ID) (standing, error) {
	page, err := b.read(ctx, channel, after(p, pageEvents, pageBytes))
	if err != nil {
		return standing{}, err
	}
	st := place(channel, p, page)
	if st.fork == nil {
		return st, nil
	}
	st, err = b.standingAt(ctx, channel, st.fork.Last)
	return st.lostBefore(channel, p), err
}

// read asks the log for a page, waiting for its turn.
func (b *Broker) read(ctx context.Context, channel string, q Query) (Page, error) {
	select {
	case b.reads <- struct{}{}:
		defer func() { <-b.reads }()
	case <-ctx.Done():
		return Page{}, unavailable(ctx.Err())
	}
	b.awaitRoom()
	b.count.Reads.Add(1)
	return b.log.Range(ctx, channel, q)
}

// awaitRoom waits while pages fill half of the budget, until some of them have
// served. It does so for a pressedPageLife at most: what is held beyond the
// budget then is what readsAtOnce readers bring in that time.
func (b *Broker) awaitRoom() {
	const steps = 4
	for range steps {
		if !b.manyPages() {
			return
		}
		b.sweepSoon()
		b.pause(pressedPageLife / steps)
	}
}

func (b *Broker) manyPages() bool { return b.paged.Load() > b.options.Memory/2 }

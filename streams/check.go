package streams

import (
	"context"
	"sync"
	"time"
)

// checks is the channels whose tail is to be compared with the log. Each
// stands in it once, however often somebody asks.
type checks struct {
	mu     sync.Mutex
	due    map[*channel]struct{}
	signal chan struct{}
}

const (
	headsAtOnce   = 512 // channels compared in one call of the log
	refreshAtOnce = 16  // tails read anew at the same time
)

// check has a channel's tail compared with the log soon.
func (b *Broker) check(c *channel) {
	b.checks.mu.Lock()
	b.checks.due[c] = struct{}{}
	b.checks.mu.Unlock()
	select {
	case b.checks.signal <- struct{}{}:
	default:
	}
}

// takeChecks takes up to headsAtOnce of the channels that are due.
func (b *Broker) takeChecks() (due []*channel) {
	b.checks.mu.Lock()
	defer b.checks.mu.Unlock()
	for c := range b.checks.due {
		delete(b.checks.due, c)
		if due = append(due, c); len(due) == headsAtOnce {
			break
		}
	}
	return due
}

// runChecks compares tails with the log: those somebody asked for at once, and
// now and then all, as a net under messages that were lost without a sign.
func (b *Broker) runChecks() {
	all := time.NewTicker(b.options.CheckEvery)
	defer all.Stop()
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-all.C:
			b.eachChannel(b.check)
		case <-b.checks.signal:
		}
		for due := b.takeChecks(); len(due) > 0 && b.ctx.Err() == nil; due = b.takeChecks() {
			b.compare(due)
		}
	}
}

// compare asks the log where the channels stand and refreshes those that
// differ.
func (b *Broker) compare(due []*channel) {
	names := make([]string, len(due))
	for i, c := range due {
		names[i] = c.name
	}
	ctx, cancel := context.WithTimeout(b.ctx, readTimeout)
	defer cancel()
	heads, err := b.log.Heads(ctx, names)
	if err != nil {
		b.logFailed("compare with the log", names[0], err)
		b.pause(checkBackoff)
		for _, c := range due {
			b.check(c)
		}
		return
	}
	b.refreshAll(ctx, due, heads)
}

// checkBackoff is the pause after the log could not be asked.
const checkBackoff = 200 * time.Millisecond

func (b *Broker) refreshAll(ctx context.Context, due []*channel, heads []Head) {
	var running sync.WaitGroup
	slots := make(chan struct{}, refreshAtOnce)
	for i, c := range due {
		c.begin(heads[i].Last) // all of them first: subscribers wait for it
	}
	for i, c := range due {
		if c.newest() == heads[i].Last {
			continue
		}
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			if err := b.refresh(ctx, c); err != nil {
				b.logFailed("read the tail anew", c.name, err)
				b.pause(checkBackoff)
				b.check(c)
			}
		})
	}
	running.Wait()
}

// refresh reads what follows the tail's newest event into it.
func (b *Broker) refresh(ctx context.Context, c *channel) error {
	from := c.newest()
	b.count.Reads.Add(1)
	page, err := b.log.Range(ctx, c.name, after(from, pageEvents, pageBytes))
	if err != nil {
		return err
	}
	c.take(from, page)
	return nil
}

// take brings the tail up to a page that was read after position from. Events
// may have come in meanwhile.
func (c *channel) take(from ID, page Page) {
	st := place(c.name, from, page)
	c.mu.Lock()
	moved := c.tail.newest != from
	switch {
	case st.ahead && !moved && c.stillAhead():
		c.mu.Unlock()
		time.AfterFunc(aheadRetry, func() { c.broker.check(c) })
		return
	case moved && (st.ahead || st.gap != nil):
		// What was read is about a position the tail has left.
		c.mu.Unlock()
		c.broker.check(c)
		return
	case st.ahead, st.gap != nil, page.More:
		// A hole, or too much to catch up with: the tail starts anew where the
		// log is now, and every reader asks the log where it stands.
		c.tail.reset(page.Last)
	default:
		for _, e := range st.events {
			c.tail.offer(e)
		}
	}
	c.aheadSince = time.Time{}
	c.settle()
	w := c.live.take(nil)
	c.mu.Unlock()
	w.wake()
	if len(st.events) < len(page.Events) {
		c.broker.check(c)
	}
}

// stillAhead reports whether the tail has been above the log for less than the
// time in which that may be a passing matter.
func (c *channel) stillAhead() bool {
	if c.aheadSince.IsZero() {
		c.aheadSince = time.Now()
	}
	return time.Since(c.aheadSince) < aheadFor
}

package streams

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// A node whose tail's newest event is not in the log has seen a rollback. It
// notes the fork before its readers ask where they stand, so that they, and all
// who return later with a position of that past, are told the same.

var errForkLost = fmt.Errorf("%w: it is just losing what it has", ErrUnavailable)

// sawLoss reports whether the tail's newest event, which stands as st says by the
// page read for what comes after it, may have been lost at a place that is not
// noted: where a clock is behind it may look as if it was at an earlier one.
func (st *standing) sawLoss(newest ID) bool {
	return st.ahead || st.gap != nil && st.gap.Reason != Unknown || st.fork != nil && st.fork.Lost != newest
}

// noteFork notes where the log lost the tail's newest event, which page, read
// for what comes after it, does not show.
func (b *Broker) noteFork(ctx context.Context, c *channel, lost ID, st standing, page Page) error {
	log, ok := b.log.(Forker)
	past := c.past(lost)
	if !ok || past == nil {
		return nil
	}
	last, found := page.forkedFrom(past)
	if !found && (st.ahead || st.fork != nil || st.gap.Reason == Rollback) {
		var err error
		if last, found, err = b.lastCommon(ctx, c.name, past, page); err != nil {
			return err
		}
	}
	if !found {
		return nil
	}
	f, err := log.Fork(ctx, c.name, last, lost)
	switch {
	case err != nil:
		return err
	case f == Fork{}:
		return errForkLost
	case f.First.IsZero():
		c.unfinished(&f)
	}
	return nil
}

// finishFork notes a fork again once the event that follows it has come.
func (b *Broker) finishFork(ctx context.Context, c *channel) error {
	f := c.toFinish()
	if f == nil {
		return nil
	}
	noted, err := b.log.(Forker).Fork(ctx, c.name, f.Last, f.Lost)
	if errors.Is(err, ErrUnavailable) || err == nil && noted.Last == f.Last && noted.First.IsZero() {
		return err // it takes no writes for now, or the next event is to come
	}
	c.finished(f)
	return err
}

// forkedFrom finds a noted fork at which the log lost what a tail has, also where
// what the log had around there is gone: the tail has another event of the number
// that came first after it. It returns the last ID that both have.
func (page *Page) forkedFrom(past []ID) (last ID, found bool) {
	for _, f := range page.Forks {
		i, held := slices.BinarySearchFunc(past, f.First.N, func(id ID, n uint64) int { return cmp.Compare(id.N, n) })
		if held && past[i] != f.First && f.First.N > 0 {
			return f.Last, true
		}
	}
	return ID{}, false
}

// lastCommon finds the last ID that the log has and the past of a tail had. What
// the tail holds tells it for certain, and before the first event all pasts are
// one. From below, where the tail no longer reaches, the log's next ID is taken:
// no clock is so far behind.
func (b *Broker) lastCommon(ctx context.Context, channel string, past []ID, page Page) (last ID, found bool, err error) {
	common := func(id ID) bool {
		_, held := slices.BinarySearchFunc(past, id, ID.Compare)
		return held || id.N == 0 || id.Less(past[0])
	}
	at := page.Last
	if len(page.Events) > 0 {
		at = page.Events[0].Prev
	}
	for q := after(at, pageEvents, pageBytes); !common(at); q.From = page.Events[0].ID {
		q.Backward = true
		if page, err = b.log.Range(ctx, channel, q); err != nil || len(page.Events) == 0 {
			return ID{}, false, err
		}
		for _, e := range slices.Backward(page.Events) {
			if at = e.Prev; common(at) {
				break
			}
		}
	}
	return at, true, nil
}

// past is the IDs of which the tail knows, oldest first, if lost is still the
// newest of them.
func (c *channel) past(lost ID) []ID {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tail.newest != lost {
		return nil
	}
	past := []ID{c.tail.before}
	for _, e := range c.tail.events {
		if !e.Ephemeral() {
			past = append(past, e.ID)
		}
	}
	return past
}

// unfinished keeps a fork of which it is not known yet what follows it.
func (c *channel) unfinished(f *Fork) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fork = f
}

// finished forgets that fork, but none that was seen meanwhile.
func (c *channel) finished(f *Fork) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fork == f {
		c.fork = nil
	}
}

// toFinish returns the fork that is to be noted again, if something follows it
// by now.
func (c *channel) toFinish() *Fork {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.followed()
}

func (c *channel) followed() *Fork {
	if c.fork != nil && c.fork.Last != c.tail.newest && c.tail.newest.N > 0 {
		return c.fork
	}
	return nil
}

package streams

import (
	"context"
	"slices"
	"strings"
)

// readersAtOnce is how many readers are looked at while the channel's lock is
// held: those who look must not keep those who deliver waiting.
const readersAtOnce = 512

// ChannelState is what a node knows of a channel that it follows.
type ChannelState struct {
	Name    string
	Readers int    // open subscriptions on this node
	Last    ID     // the newest ID the node heard of; zero while it knows none
	Events  int    // in the node's tail, ephemeral ones too
	Bytes   int    // of the tail and of pages of history at hand
	Behind  uint64 // by how many events its slowest reader is behind Last
}

// Channels returns the followed channels whose names begin with prefix and
// stand after a name ("": from the first), sorted by name, at most limit of
// them, and whether there are more.
func (b *Broker) Channels(prefix, after string, limit int) (page []ChannelState, more bool) {
	var found []*channel
	b.eachChannel(func(c *channel) {
		if strings.HasPrefix(c.name, prefix) && c.name > after {
			found = append(found, c)
		}
	})
	slices.SortFunc(found, func(x, y *channel) int { return strings.Compare(x.name, y.name) })
	if more = len(found) > limit; more {
		found = found[:limit]
	}
	for _, c := range found {
		page = append(page, c.state())
	}
	return page, more
}

// Channel returns what the node knows of a channel, and false when it does not
// follow it.
func (b *Broker) Channel(name string) (ChannelState, bool) {
	c := b.find(name)
	if c == nil {
		return ChannelState{Name: name}, false
	}
	return c.state(), true
}

// Reader is an open subscription as those see it who look at a channel.
type Reader struct {
	Waiter   Waiter // who reads
	Position ID
	Behind   uint64 // by how many events it is behind the newest the node heard of
}

// Readers returns at most limit readers of a channel on this node, in no
// particular order, and whether there are more.
func (b *Broker) Readers(name string, limit int) (readers []Reader, more bool) {
	c := b.find(name)
	if c == nil {
		return nil, false
	}
	c.eachReader(func(s *Subscription) bool {
		if more = len(readers) == limit; !more {
			readers = append(readers, Reader{s.waiter, s.position, s.lag()})
		}
		return !more
	})
	return readers, more
}

// Lag is by how many events the slowest reader on the node is behind the
// newest that the node heard of. It looks at every reader of channels in which
// some are behind.
func (b *Broker) Lag() (most uint64) {
	for _, c := range b.busy.all() {
		most = max(most, c.lag())
	}
	return most
}

// Retained is what the log keeps of a channel.
type Retained struct {
	Head
	First ID // the oldest event that is retained; zero when none is
}

// Events is how many are retained. Where some were deleted by hand it is more
// than there are.
func (r Retained) Events() uint64 {
	if r.First.IsZero() {
		return 0
	}
	return r.Last.N - r.First.N + 1
}

// Retained asks the log what it keeps of a channel.
func (b *Broker) Retained(ctx context.Context, channel string) (Retained, error) {
	page, err := b.read(ctx, channel, Query{Events: 1, Bytes: 1})
	if err != nil {
		b.logFailed("read history", channel, err)
		return Retained{}, err
	}
	r := Retained{Head: page.Head}
	if len(page.Events) > 0 {
		r.First = page.Events[0].ID
	}
	return r, nil
}

func (b *Broker) find(name string) *channel {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.channels[name]
}

func (c *channel) state() ChannelState {
	behind := c.lag()
	c.mu.Lock()
	defer c.mu.Unlock()
	open, _ := c.count()
	return ChannelState{
		Name: c.name, Readers: open, Last: c.tail.newest,
		Events: len(c.tail.events), Bytes: c.accounted, Behind: behind,
	}
}

func (c *channel) lag() (most uint64) {
	if c.allWait() {
		return 0
	}
	c.eachReader(func(s *Subscription) bool {
		most = max(most, s.lag())
		return true
	})
	return most
}

// allWait reports whether every reader waits for the next event.
func (c *channel) allWait() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	open, waiting := c.count()
	return waiting == open
}

// eachReader calls f, with the channel locked, until it returns false. The
// lock is given back now and then: who comes, goes or begins to wait meanwhile
// may be left out, or come twice.
func (c *channel) eachReader(f func(*Subscription) bool) {
	for from, more := 0, true; more; from += readersAtOnce {
		more = c.someReaders(from, f)
	}
}

func (c *channel) someReaders(from int, f func(*Subscription) bool) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := readersAtOnce
	for i := range c.audiences {
		subs := c.audiences[i].subs
		some := subs[min(from, len(subs)):]
		from -= len(subs) - len(some)
		for _, s := range some {
			if left--; left < 0 {
				return true
			}
			if !f(s) {
				return false
			}
		}
	}
	return false
}

// lag is how many events follow the position. The channel is locked.
func (s *Subscription) lag() uint64 {
	newest := s.channel.tail.newest
	if s.channel.awaits(s) || newest.N <= s.position.N {
		return 0
	}
	return newest.N - s.position.N
}

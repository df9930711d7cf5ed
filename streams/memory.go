package streams

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultMemoryBudget is the budget of [NewMemory] when none is given.
const DefaultMemoryBudget = 256 << 20

// Memory is the log that needs nothing installed: it holds every channel in
// the process and loses them with it; positions of an earlier process are then
// unknown, which their clients are told by a gap.
//
// One budget bounds all of it: events, channels and idempotency keys. When it
// is spent, the oldest event of any channel goes first; a channel without any
// counts as old as its last use, and is forgotten whole, base and head, unless
// it is followed. Idempotency keys live as long as is promised: they may fill a
// half of the budget, and a further one is refused (ErrKeysFull).
//
// All channels begin with the same base, so one that never had an event needs
// no memory: whoever makes up names, to read them or for ephemeral events, takes
// none from others.
type Memory struct {
	budget   int64
	born     uint64 // ms of the first base
	used     atomic.Int64
	channels sync.Map // name → *memoryChannel
	keys     *memoryKeys
	oldest   ageQueue

	evicting sync.Mutex    // one goroutine at a time makes room
	floor    atomic.Uint64 // the highest ms of a forgotten channel: a new base stands above it

	closed atomic.Bool
	stop   chan struct{}
	swept  sync.WaitGroup
}

var (
	_ Log    = (*Memory)(nil)
	_ sharer = (*Memory)(nil)
)

// NewMemory returns an empty log that holds at most about budget bytes, 0 for
// [DefaultMemoryBudget]. It is to be closed.
func NewMemory(budget int64) *Memory {
	if budget <= 0 {
		budget = DefaultMemoryBudget
	}
	m := &Memory{budget: budget, born: baseAt(time.Now()).Ms, stop: make(chan struct{})}
	m.keys = newMemoryKeys(budget, &m.used)
	m.swept.Go(m.sweepUntilStopped)
	return m
}

// Close implements [Log]; what is still used of the memory is then garbage.
func (m *Memory) Close() error {
	if m.closed.Swap(true) {
		return nil
	}
	close(m.stop)
	m.swept.Wait()
	for _, v := range m.channels.Range {
		c := v.(*memoryChannel)
		c.order.Lock()
		c.order.Unlock() //lint:ignore SA2001 this waits for the append under way
	}
	return nil
}

// Append implements [Log]. It is done when it returns: the outcome is never
// unknown. Followers are told before it returns.
func (m *Memory) Append(ctx context.Context, channel string, keep Retention, drafts []Draft) ([]Result, error) {
	if err := m.refuse(ctx); err != nil {
		return nil, err
	}
	defer m.makeRoom()
	c := m.lockOrder(channel)
	defer c.order.Unlock()
	if m.closed.Load() {
		c.mu.Unlock()
		return nil, ErrClosed
	}
	now := time.Now()
	before := c.size
	results, news := c.append(now, keep, drafts, m.keys)
	m.used.Add(c.size - before)
	follower := c.follower
	m.dropUnborn(c)
	c.mu.Unlock()
	if follower != nil {
		for _, e := range news {
			follower.Deliver(e)
		}
	}
	return results, nil
}

// AppendShares implements PublishShares: nothing here waits, so there is
// nothing to gain from doing it side by side.
func (m *Memory) AppendShares(ctx context.Context, shares []*Share, keep func(channel string) Retention) {
	for _, s := range shares {
		s.Results, s.Err = m.Append(ctx, s.Channel, keep(s.Channel), s.Drafts)
	}
}

// Heads implements [Log].
func (m *Memory) Heads(ctx context.Context, channels []string) ([]Head, error) {
	if err := m.refuse(ctx); err != nil {
		return nil, err
	}
	heads := make([]Head, len(channels))
	for i, name := range channels {
		c := m.find(name)
		if c == nil {
			heads[i] = m.unborn()
			continue
		}
		c.used = time.Now().UnixMilli()
		heads[i] = c.head
		c.mu.Unlock()
	}
	return heads, nil
}

// Range implements [Log].
func (m *Memory) Range(ctx context.Context, channel string, q Query) (Page, error) {
	if err := m.refuse(ctx); err != nil {
		return Page{}, err
	}
	c := m.find(channel)
	if c == nil {
		return Page{Head: m.unborn()}, nil
	}
	page := c.page(q)
	c.mu.Unlock()
	for i, e := range page.Events {
		page.Events[i] = e.bare()
	}
	return page, nil
}

// Follow implements [Log]. It calls f.Resync before it returns, and never
// again: nothing is missed here. It leaves making room to the next Append, for
// callers hold a lock.
func (m *Memory) Follow(channel string, f Follower) (stop func()) {
	if m.closed.Load() {
		return func() {}
	}
	own := &memoryFollower{f}
	c := m.lock(channel)
	c.follower = own
	c.mu.Unlock()
	f.Resync()
	return func() { m.unfollow(channel, own) }
}

// memoryFollower tells one Follow from another, also of the same Follower.
type memoryFollower struct{ Follower }

func (m *Memory) unfollow(channel string, own *memoryFollower) {
	c := m.find(channel)
	if c == nil {
		return
	}
	defer c.mu.Unlock()
	if c.follower != own {
		return
	}
	c.follower = nil
	c.used = time.Now().UnixMilli()
	if !m.dropUnborn(c) {
		m.oldest.put(c)
	}
}

func (m *Memory) refuse(ctx context.Context) error {
	if m.closed.Load() {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	return nil
}

// unborn is the head of a channel that never had an event, or was forgotten.
func (m *Memory) unborn() Head {
	base := ID{Ms: max(m.born, m.floor.Load()+1)}
	return Head{Last: base, Base: base}
}

// find returns the channel with its mu held, nil if there is nothing of it.
func (m *Memory) find(name string) *memoryChannel {
	v, ok := m.channels.Load(name)
	if !ok {
		return nil
	}
	c := v.(*memoryChannel)
	c.mu.Lock()
	if c.gone {
		c.mu.Unlock()
		return nil
	}
	return c
}

// lock returns the channel, new if need be, with its mu held.
func (m *Memory) lock(name string) *memoryChannel {
	for {
		c := m.channel(name)
		c.mu.Lock()
		if !c.gone {
			m.oldest.put(c)
			return c
		}
		c.mu.Unlock()
	}
}

// lockOrder returns the channel with its order and its mu held.
func (m *Memory) lockOrder(name string) *memoryChannel {
	for {
		c := m.channel(name)
		c.order.Lock()
		c.mu.Lock()
		if !c.gone {
			m.oldest.put(c)
			return c
		}
		c.mu.Unlock()
		c.order.Unlock()
	}
}

func (m *Memory) channel(name string) *memoryChannel {
	if v, ok := m.channels.Load(name); ok {
		return v.(*memoryChannel)
	}
	v, loaded := m.channels.LoadOrStore(name, newMemoryChannel(name, m.unborn()))
	c := v.(*memoryChannel)
	if !loaded {
		m.used.Add(c.ownSize())
	}
	return c
}

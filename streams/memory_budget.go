package streams

import (
	"container/heap"
	"math"
	"sync"
	"time"
)

// How long a channel without events and follower is remembered: one
// that had events, so that a client that returns learns how many it missed,
// and one that never had any, or on Redis the base of all of these; how often
// that base is moved up in bolt (on Redis with each seventh of its life).
const (
	headLife  = 30 * 24 * time.Hour
	baseLife  = 7 * 24 * time.Hour
	baseEvery = 24 * time.Hour
)

// sweepEvery is how often age is applied to channels that nobody appends to.
const sweepEvery = 30 * time.Second

func (m *Memory) sweepUntilStopped() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-m.stop:
			return
		case now := <-tick.C:
			m.keys.expire(now)
			for _, v := range m.channels.Range {
				m.sweep(v.(*memoryChannel), now)
			}
		}
	}
}

func (m *Memory) sweep(c *memoryChannel, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return
	}
	before := c.size
	c.trim(now)
	m.used.Add(c.size - before)
	life := headLife
	if c.head.Last == c.head.Base {
		life = baseLife
	}
	if c.forgettable() && time.UnixMilli(c.used).Add(life).Before(now) {
		m.forget(c)
	}
}

func (c *memoryChannel) forgettable() bool { return c.empty() && c.follower == nil }

func (c *memoryChannel) empty() bool { return len(c.events) == 0 }

// forget takes the channel out of the log; c.mu is held. Its IDs never come
// again: a base set later stands above them.
func (m *Memory) forget(c *memoryChannel) {
	for c.head != m.unborn() {
		floor := m.floor.Load()
		if floor >= c.head.Last.Ms || m.floor.CompareAndSwap(floor, c.head.Last.Ms) {
			break
		}
	}
	m.drop(c)
}

// dropUnborn takes out a channel of which there is nothing to remember: nobody
// follows it, and it stands where it would stand if there were nothing of it.
// c.mu is held.
func (m *Memory) dropUnborn(c *memoryChannel) bool {
	if !c.forgettable() || c.head != m.unborn() {
		return false
	}
	m.drop(c)
	return true
}

// drop takes out a channel whose numbering may begin again where it did.
func (m *Memory) drop(c *memoryChannel) {
	c.gone = true
	m.oldest.remove(c)
	m.channels.Delete(c.name)
	m.used.Add(-c.ownSize())
}

// makeRoom brings the log back within its budget, and a little below, so that
// it need not be called for the next event too.
func (m *Memory) makeRoom() {
	if m.used.Load() <= m.budget {
		return
	}
	m.evicting.Lock()
	defer m.evicting.Unlock()
	if m.used.Load() <= m.budget {
		return
	}
	target := m.budget - m.budget/64
	for m.used.Load() > target {
		c, next := m.oldest.take()
		if c == nil {
			return
		}
		m.evict(c, next, target)
	}
}

// evict drops what is oldest of the channel, as far as it is not younger than
// next and until target is met. It puts the channel back into the queue
// unless nothing of it can be dropped.
func (m *Memory) evict(c *memoryChannel, next, target int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queued = false
	if c.gone {
		return
	}
	for !c.empty() && c.oldest() <= next && m.used.Load() > target {
		before := c.size
		c.drop(1)
		m.used.Add(c.size - before)
	}
	switch {
	case !c.empty():
		m.oldest.put(c)
	case c.follower != nil: // comes back when it has events, or is left
	case c.used <= next && m.used.Load() > target:
		m.forget(c)
	default:
		m.oldest.put(c)
	}
}

// oldest is the time of what evict would drop next.
func (c *memoryChannel) oldest() int64 {
	if c.empty() {
		return c.used
	}
	return int64(c.events[0].ID.Ms)
}

// ageQueue holds channels by age. The age of a channel in it can be behind:
// its oldest events may have gone since; never ahead. So appending to a channel
// that is in it leaves it alone.
type ageQueue struct {
	mu   sync.Mutex
	heap ageHeap
}

// queuePlace is a channel's place in the queue.
type queuePlace struct {
	at    int64
	index int
	in    bool
}

// put brings the channel into the queue if it is not there; c.mu is held.
func (q *ageQueue) put(c *memoryChannel) {
	if c.queued {
		return
	}
	c.queued = true
	q.mu.Lock()
	defer q.mu.Unlock()
	c.place = queuePlace{at: c.oldest(), in: true}
	heap.Push(&q.heap, c)
}

// take removes the oldest channel and returns the age of the one after it;
// nil if there is none.
func (q *ageQueue) take() (c *memoryChannel, next int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.heap) == 0 {
		return nil, 0
	}
	c = heap.Pop(&q.heap).(*memoryChannel)
	if len(q.heap) == 0 {
		return c, math.MaxInt64
	}
	return c, q.heap[0].place.at
}

func (q *ageQueue) remove(c *memoryChannel) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.place.in {
		heap.Remove(&q.heap, c.place.index)
	}
}

type ageHeap []*memoryChannel

func (h ageHeap) Len() int           { return len(h) }
func (h ageHeap) Less(i, j int) bool { return h[i].place.at < h[j].place.at }
func (h ageHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place.index, h[j].place.index = i, j
}

// Push implements [heap.Interface].
func (h *ageHeap) Push(c any) {
	c.(*memoryChannel).place.index = len(*h)
	*h = append(*h, c.(*memoryChannel))
}

// Pop implements [heap.Interface].
func (h *ageHeap) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	c.place.in = false
	return c
}

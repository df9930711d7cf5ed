package streams

import (
	"encoding/binary"
	"slices"
	"sort"
	"sync"
	"time"
)

// memoryChannel is one channel of a Memory.
type memoryChannel struct {
	name string

	// order is held from an append until its events are delivered, so that
	// they are delivered in their order. Readers never wait for it.
	order sync.Mutex

	mu       sync.Mutex // guards what follows; nothing is waited for while it is held
	head     Head
	events   []*Event // oldest first, never with encoded forms: the budget does not count these
	size     int64    // of events
	keep     Retention
	follower *memoryFollower
	used     int64 // when it was last used, in ms
	queued   bool  // it is in the queue by age, or the evicting goroutine has it
	gone     bool  // forgotten; whoever holds it looks the name up again

	place queuePlace // guarded by the queue
}

// channelSize is about what an empty channel takes, its entries in the map
// and in the queue included.
const channelSize = 384

func newMemoryChannel(name string, head Head) *memoryChannel {
	return &memoryChannel{
		name: name,
		head: head,
		keep: Retention{Count: 1, Age: time.Millisecond},
		used: time.Now().UnixMilli(),
	}
}

func (c *memoryChannel) ownSize() int64 { return channelSize + int64(len(c.name)) }

// append stores the drafts and returns what the follower is to hear, nil when
// there is none.
func (c *memoryChannel) append(now time.Time, keep Retention, drafts []Draft, keys *memoryKeys) ([]Result, []*Event) {
	c.used, c.keep = now.UnixMilli(), keep
	results := make([]Result, len(drafts))
	var news []*Event
	for i := range drafts {
		var e *Event
		if results[i], e = c.take(&drafts[i], now, keys); e != nil && c.follower != nil {
			news = append(news, e.bare())
		}
	}
	c.trim(now)
	return results, news
}

// take makes the draft an event unless its key is known, or has no room.
func (c *memoryChannel) take(d *Draft, now time.Time, keys *memoryKeys) (Result, *Event) {
	if d.Key == "" {
		e := c.store(d, now)
		return Result{ID: e.ID}, e
	}
	whole := d.fingerprint()
	h, print := hashKey(c.name, d.Key), binary.BigEndian.Uint64(whole[:])
	answer, known, room := keys.lookUp(h, now)
	switch {
	case known && answer.draft != print:
		return Result{Err: ErrKeyReused}, nil
	case known:
		return Result{ID: answer.id}, nil
	case !room:
		return Result{Err: ErrKeysFull}, nil
	}
	e := c.store(d, now)
	keys.put(h, print, e.ID, now)
	return Result{ID: e.ID}, e
}

// store makes the draft an event, and part of the history unless ephemeral.
func (c *memoryChannel) store(d *Draft, now time.Time) *Event {
	e := &Event{Type: d.Type, Data: d.Data, Text: d.Text, From: d.From, Exclude: d.Exclude}
	if d.Ephemeral {
		return e
	}
	e.Prev, e.ID = c.head.Last, c.head.Last.next(now)
	c.head.Last = e.ID
	c.events = append(c.events, e)
	c.size += int64(e.Size())
	return e
}

// bare returns the event without its encoded forms, which are the reader's
// memory and not the log's.
func (e *Event) bare() *Event {
	return &Event{
		ID: e.ID, Prev: e.Prev, Type: e.Type, Data: e.Data, Text: e.Text,
		From: e.From, Exclude: e.Exclude,
	}
}

// trim applies the channel's retention.
func (c *memoryChannel) trim(now time.Time) {
	drop := max(0, len(c.events)-max(1, c.keep.Count))
	oldest := now.Add(-c.keep.Age).UnixMilli()
	for drop < len(c.events) && int64(c.events[drop].ID.Ms) < oldest {
		drop++
	}
	c.drop(drop)
}

// drop lets go of the n oldest events.
func (c *memoryChannel) drop(n int) {
	for _, e := range c.events[:n] {
		c.size -= int64(e.Size())
	}
	clear(c.events[:n])
	if c.events = c.events[n:]; len(c.events) == 0 {
		c.events = nil
	}
}

// page reads a page; its events are still the stored ones.
func (c *memoryChannel) page(q Query) Page {
	page := Page{Head: c.head}
	at := len(c.events)
	if !q.Backward || !q.From.IsZero() {
		at = sort.Search(len(c.events), func(i int) bool { return !c.events[i].ID.Less(q.From) })
	}
	if q.Backward {
		from := at - pageLength(q, at, func(i int) *Event { return c.events[at-1-i] })
		page.Events, page.More = slices.Clone(c.events[from:at]), from > 0
		return page
	}
	if at > 0 {
		page.Below = c.events[at-1].ID
	}
	to := at + pageLength(q, len(c.events)-at, func(i int) *Event { return c.events[at+i] })
	page.Events, page.More = slices.Clone(c.events[at:to]), to < len(c.events)
	return page
}

// pageLength is how many of the n events that event names fit the limits.
func pageLength(q Query, n int, event func(i int) *Event) int {
	n = min(n, max(1, q.Events))
	size := 0
	for i := range n {
		size += event(i).Size()
		if size > q.Bytes && i > 0 {
			return i
		}
	}
	return n
}

package streams

import (
	"context"
	"time"
)

// Start says where a subscription begins. The zero Start is Now.
type Start struct {
	kind   startKind
	id     ID
	time   time.Time
	events int
}

type startKind uint8

const (
	fromNow startKind = iota
	fromPosition
	fromEarliest
	fromTime
	fromLast
)

// Now begins with the next event.
func Now() Start { return Start{} }

// After begins behind a position.
func After(position ID) Start { return Start{kind: fromPosition, id: position} }

// Earliest begins with the first event that is retained.
func Earliest() Start { return Start{kind: fromEarliest} }

// Since begins with the first event appended at that time or later, by the
// log's clock.
func Since(t time.Time) Start { return Start{kind: fromTime, time: t} }

// Rewind begins with the n-th newest event, or the first that is retained.
func Rewind(n int) Start { return Start{kind: fromLast, events: n} }

// resolve returns the position at which a start begins, and for Since the gap
// if events of that time are gone. A position is taken as it is: the first
// Next says where it stands.
func (b *Broker) resolve(ctx context.Context, c *channel, s Start) (ID, *Gap, error) {
	switch s.kind {
	case fromPosition:
		return s.id, nil, nil
	case fromNow:
		return c.newest(), nil, nil
	case fromLast:
		position, err := b.rewound(ctx, c.name, s.events)
		return position, nil, err
	}
	q := Query{From: ID{N: 1}, Events: 1, Bytes: 1}
	if s.kind == fromTime {
		q.From = ID{Ms: uint64(max(s.time.UnixMilli(), 0))}
	}
	page, err := b.read(ctx, c.name, q)
	if err != nil {
		b.logFailed("find a start", c.name, err)
		return ID{}, nil, err
	}
	if len(page.Events) == 0 {
		return page.Last, goneSince(c.name, s, page, page.Last, ID{}), nil
	}
	first := page.Events[0]
	return first.Prev, goneSince(c.name, s, page, first.Prev, first.ID), nil
}

// rewound returns the position before the n-th newest event, or before the
// first that is retained.
func (b *Broker) rewound(ctx context.Context, channel string, n int) (ID, error) {
	var position ID
	q := Query{Backward: true, Bytes: pageBytes}
	for {
		q.Events = min(n, pageEvents)
		page, err := b.read(ctx, channel, q)
		if err != nil {
			b.logFailed("find a start", channel, err)
			return ID{}, err
		}
		switch {
		case len(page.Events) > 0:
			q.From, position = page.Events[0].ID, page.Events[0].Prev
		case position.IsZero():
			position = page.Last
		}
		if n -= len(page.Events); n <= 0 || !page.More {
			return position, nil
		}
	}
}

// goneSince is the gap of a start by time when the event before the first one
// found was appended after that time, too, and is gone. How many more are gone
// nobody knows.
func goneSince(channel string, s Start, page Page, prev, next ID) *Gap {
	gone := prev.N > 0 && prev != page.Below && !prev.Time().Before(s.time.Truncate(time.Millisecond))
	if s.kind != fromTime || !gone {
		return nil
	}
	g := &Gap{Channel: channel, Last: prev, Resumed: next, Missed: MissedUnknown, Reason: Trimmed}
	if next.IsZero() && page.Below.IsZero() {
		g.Reason = Expired
	}
	return g
}

package streams

import "context"

// Back is a page of history that ends at a position.
type Back struct {
	Events   []*Event // in order, without a hole
	Position ID       // where to go on reading forward: after the last event
	Gap      *Gap     // what is missing between the page and the position asked for
	More     bool     // there are events before the page
}

// Before reads the newest events of a channel that stand before a position;
// the zero ID means the newest of all.
func (b *Broker) Before(ctx context.Context, channel string, position ID, events, bytes int) (Back, error) {
	q := Query{From: position, Backward: true, Events: events, Bytes: bytes}
	var r Back
	var err error
	if position.IsZero() {
		r, err = b.newest(ctx, channel, q)
	} else {
		r, err = b.before(ctx, channel, q)
	}
	if err != nil {
		b.logFailed("read history", channel, err)
		return Back{}, err
	}
	return r, nil
}

func (b *Broker) newest(ctx context.Context, channel string, q Query) (Back, error) {
	page, err := b.read(ctx, channel, q)
	return backFrom(channel, page, page.Last), err
}

// before reads the event of the position itself too, if it is there: it names
// the one before it.
func (b *Broker) before(ctx context.Context, channel string, q Query) (Back, error) {
	with := q
	with.From.N++
	with.Events++
	page, err := b.read(ctx, channel, with)
	if err != nil {
		return Back{}, err
	}
	end := len(page.Events) - 1
	if end < 0 || page.Events[end].ID != q.From {
		return b.beforeGone(ctx, channel, q, page)
	}
	own := page.Events[end]
	page.Events = page.Events[:end]
	if end == 0 && page.More {
		// It took all the bytes.
		if page, err = b.read(ctx, channel, q); err != nil {
			return Back{}, err
		}
	}
	return backFrom(channel, page, own.Prev), nil
}

// beforeGone is the page before a position whose event is not in the log.
func (b *Broker) beforeGone(ctx context.Context, channel string, q Query, page Page) (Back, error) {
	if n := len(page.Events) - q.Events; n > 0 {
		page.Events, page.More = page.Events[n:], true
	}
	r := backFrom(channel, page, ID{})
	if len(r.Events) == 0 {
		r.Position = q.From
		return r, nil
	}
	next, err := b.read(ctx, channel, Query{From: q.From, Events: 1, Bytes: 1})
	r.Gap = gapBeforeGone(channel, r.Position, q.From, next)
	return r, err
}

// backFrom is what a page holds without a hole at its end. follows is the ID
// that its last event should have, zero when that is not known.
func backFrom(channel string, page Page, follows ID) Back {
	r := Back{Events: lastContiguous(page.Events), Position: follows}
	r.More = page.More || len(r.Events) < len(page.Events)
	if n := len(r.Events); n > 0 {
		r.Position = r.Events[n-1].ID
		r.Gap = deletedBetween(channel, r.Position, follows, page.Base)
	}
	return r
}

// lastContiguous is the end of events in which each names the one before.
func lastContiguous(events []*Event) []*Event {
	for i := len(events) - 1; i > 0; i-- {
		if events[i].Prev != events[i-1].ID {
			return events[i:]
		}
	}
	return events
}

// deletedBetween is the gap between two IDs that should be one; before is zero
// when it is not known.
func deletedBetween(channel string, after, before, base ID) *Gap {
	if before.N <= after.N {
		return nil
	}
	g := &Gap{Channel: channel, After: after, Last: before, Missed: MissedUnknown, Reason: Trimmed}
	if !base.IsZero() {
		g.Missed = int64(before.N - after.N)
	}
	return g
}

// gapBeforeGone is the gap between an event and a position above it whose own
// event is gone; next is the page that begins at the position.
func gapBeforeGone(channel string, after, position ID, next Page) *Gap {
	above := next.Last
	if len(next.Events) > 0 {
		above = next.Events[0].Prev
	}
	g := &Gap{Channel: channel, After: after, Last: position, Missed: MissedUnknown, Reason: Rollback}
	if position != above && !fits(after, position, above) {
		return g
	}
	if position.N == after.N+1 {
		return nil
	}
	g.Reason = Trimmed
	if !next.Base.IsZero() {
		g.Missed = int64(position.N - after.N - 1)
	}
	return g
}

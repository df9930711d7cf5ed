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
	q := Query{From: position, Backward: true, Events: events + 1, Bytes: bytes}
	if !position.IsZero() {
		q.From.N++ // the event of the position itself names the one before it
	}
	b.count.Reads.Add(1)
	page, err := b.log.Range(ctx, channel, q)
	if err != nil {
		b.logFailed("read history", channel, err)
		return Back{}, err
	}
	return backFrom(channel, position, page, events), nil
}

func backFrom(channel string, position ID, page Page, limit int) Back {
	held, follows := page.Events, page.Last // follows: the ID that the page's last event should have
	if !position.IsZero() {
		follows = ID{}
		if n := len(held); n > 0 && held[n-1].ID == position {
			follows, held = held[n-1].Prev, held[:n-1]
		}
	}
	r := Back{Events: lastContiguous(held), Position: follows}
	if n := len(r.Events) - limit; n > 0 {
		r.Events = r.Events[n:]
	}
	r.More = page.More || len(r.Events) < len(held)
	if n := len(r.Events); n > 0 {
		r.Position = r.Events[n-1].ID
		r.Gap = deletedBetween(channel, r.Position, follows, page.Base)
	}
	if r.Position.IsZero() {
		r.Position = position
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

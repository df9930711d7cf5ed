package streams

// standing is how a reading from a position goes on.
type standing struct {
	gap    *Gap     // comes first; nil when nothing is missing
	from   ID       // where events begin: the position, perhaps by another name, or the gap's new one
	events []*Event // what follows, without a hole
	ahead  bool     // the position is above all the log has
	fork   *Fork    // where the position was lost: what follows it is what follows fork.Last
	last   ID       // the last ID the log assigned
}

// after is the query that place needs to judge position p. It leaves out the
// event of p itself, so that even a page of one event makes progress.
func after(p ID, events, bytes int) Query {
	return Query{From: ID{Ms: p.Ms, N: p.N + 1}, Events: events, Bytes: bytes}
}

// place says where position p of a channel stands, by the page that the log
// returned for after(p): the one place that decides what is missing and why.
// With a fork it says no more than that.
func place(channel string, p ID, page Page) standing {
	s := standing{from: p, last: page.Last}
	if f, lost := page.forkOf(p); lost {
		s.fork = &f
		return s
	}
	if len(page.Events) == 0 {
		placeAtEnd(channel, p, page, &s)
		return s
	}
	first := page.Events[0]
	s.events = contiguous(page.Events)
	if first.Prev == p {
		return s
	}
	s.from = first.Prev
	if first.ID.N == 1 && page.Below.IsZero() && page.begins(p) {
		return s
	}
	s.gap = &Gap{Channel: channel, After: p, Last: first.Prev, Resumed: first.ID, Missed: MissedUnknown}
	s.gap.Reason = reasonBefore(first, p, page)
	if s.gap.Reason == Trimmed && !page.Base.IsZero() {
		s.gap.Missed = int64(first.ID.N - p.N - 1)
	}
	return s
}

// reasonBefore says why first, the lowest event above p, does not follow p.
func reasonBefore(first *Event, p ID, page Page) Reason {
	switch {
	case p.Less(page.Base):
		return Unknown
	case fits(page.Below, p, first.Prev) && !page.forgot(p):
		return Trimmed
	default:
		return Rollback
	}
}

// fits reports whether p can have stood between below (zero if there is none)
// and above in one numbering. If not, an event has a number that p had already
// counted, or a neighbour never knew p: p was assigned by a log that lost it.
func fits(below, p, above ID) bool {
	return (below.IsZero() || below == p || below.N < p.N) && p.N < above.N && p.Less(above)
}

// placeAtEnd judges a position above which the log has no event.
func placeAtEnd(channel string, p ID, page Page, s *standing) {
	last := page.Last
	if page.unused(p) {
		s.from = last
		return
	}
	if p == last || page.Below == p && last.Less(p) {
		return
	}
	if last.Less(p) {
		s.ahead = true
		return
	}
	s.from = last
	s.gap = &Gap{Channel: channel, After: p, Last: last, Missed: MissedUnknown}
	switch {
	case p.Less(page.Base):
		s.gap.Reason = Unknown
		return
	case !fits(page.Below, p, last), page.forgot(p):
		s.gap.Reason = Rollback
		return
	case page.Below.IsZero():
		s.gap.Reason = Expired
	default:
		s.gap.Reason = Trimmed
	}
	if !page.Base.IsZero() {
		s.gap.Missed = int64(last.N - p.N)
	}
}

// rolledBack is the standing of a position that stayed ahead of the log.
func rolledBack(channel string, p, last ID) standing {
	return standing{
		from: last,
		last: last,
		gap:  &Gap{Channel: channel, After: p, Last: last, Missed: MissedUnknown, Reason: Rollback},
	}
}

// lostBefore is the standing of position p that was lost at a fork, by that of
// the fork's last common ID.
func (s standing) lostBefore(channel string, p ID) standing {
	if s.ahead {
		s.from = p // the fork is being lost itself: p is to be asked again
		return s
	}
	s.gap = &Gap{Channel: channel, After: p, Last: s.from, Missed: MissedUnknown, Reason: Rollback}
	if len(s.events) > 0 {
		s.gap.Resumed = s.events[0].ID
	}
	return s
}

// contiguous is the beginning of events in which each names the one before.
func contiguous(events []*Event) []*Event {
	for i := 1; i < len(events); i++ {
		if events[i].Prev != events[i-1].ID {
			return events[:i]
		}
	}
	return events
}

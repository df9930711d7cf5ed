package streams

import (
	"context"
	"slices"
)

// Fork is where a channel's numbering went on anew because the log had lost
// what followed Last. Whoever was told a position of that lost past goes on
// after Last. It is noted while it can still be seen: once the entries around
// it have gone, a position of the lost past looks like one that was trimmed.
type Fork struct {
	Last  ID // the last ID that both have, the lost past and the numbering that went on
	First ID // the ID that follows it now; zero when none did yet, or that was not to be seen
	Lost  ID // the highest ID known of the lost past, zero when none is
}

// forgottenForks stands for forks up to last of which nothing is known any more.
// The one whose Last is zero says that something may have been lost before its
// First.
func forgottenForks(last ID) []Fork { return []Fork{{First: ID{Ms: last.Ms, N: last.N + 1}}} }

// maxForks is how many forks a channel keeps, the newest: that many failovers
// with loss, or on bolt restarts, within the 30 days for which the log knows
// where a quiet channel stood. Each page of history carries them, so they have
// to be few; what was lost at older ones is told as if it had been trimmed.
const maxForks = 16

// Forker is a log that can lose what it had while nodes follow it.
type Forker interface {
	// Fork notes that the channel's numbering went on anew after last, and that
	// lost was of what it lost; from then on every page has the fork. It returns
	// it as noted: without a First, because nothing followed yet or the log takes
	// no writes for now, it is to be noted again once something did. The zero Fork
	// means that last is lost, too.
	Fork(ctx context.Context, channel string, last, lost ID) (Fork, error)
}

// lost reports whether p, which is not to be seen in the log, can have been
// lost there. Between Last and First there is nothing else. Beyond First, where
// a clock went back or the old log lived on for a while, both had IDs; those of
// what went on have gone if p is not to be seen, so nothing tells it from them.
func (f Fork) lost(p ID) bool {
	if f.Last.IsZero() || p.N <= f.Last.N {
		return false
	}
	if f.Last.N > 0 && !f.Last.Less(p) {
		return false // what is before the first event may go by several names
	}
	return p.Less(f.First) || p.N <= f.Lost.N && !f.Lost.Less(p)
}

// forkOf returns the fork at which p was lost. Of several that may be it is the
// one whose highest lost ID is p, for a node had that, else the first: who goes
// on there passes over nothing. What is before the first event never was.
func (page *Page) forkOf(p ID) (Fork, bool) {
	if len(page.Forks) == 0 || p.N == 0 || p.Less(page.Base) || page.shows(p) {
		return Fork{}, false
	}
	i := slices.IndexFunc(page.Forks, func(f Fork) bool { return f.Lost == p })
	if i < 0 {
		i = slices.IndexFunc(page.Forks, func(f Fork) bool { return f.lost(p) })
	}
	if i < 0 {
		return Fork{}, false
	}
	return page.Forks[i], true
}

// forgot reports whether p, which is not to be seen, may have been lost at a
// fork that was forgotten.
func (page *Page) forgot(p ID) bool {
	if len(page.Forks) == 0 || p.N == 0 || page.shows(p) {
		return false
	}
	f := page.Forks[0]
	return f.Last.IsZero() && p.Less(f.First)
}

// forkAfter is the fork that the page, read for after(last), shows at last: with
// what follows it now, as far as that is known. It is none if last is not of the
// numbering.
func (page *Page) forkAfter(last ID) (f Fork, ok bool) {
	f.Last = last
	if len(page.Events) > 0 {
		first := page.Events[0]
		// The first of all may name that position otherwise.
		if first.Prev == last || last.N+first.Prev.N == 0 {
			f.First = first.ID
			return f, true
		}
	}
	if page.Last == last || page.Below == last || page.unused(last) {
		return f, true
	}
	i := slices.IndexFunc(page.Forks, func(was Fork) bool { return was.Last == last })
	if i < 0 {
		return Fork{}, false
	}
	f.First = page.Forks[i].First
	return f, true
}

// shows reports whether the page, read for after(p), proves p to be a position
// of the numbering.
func (page *Page) shows(p ID) bool {
	return p == page.Last || p == page.Below || len(page.Events) > 0 && page.Events[0].Prev == p
}

// addFork adds a fork, as it is to be seen now, to those of a channel, oldest
// first. Those that stand above its Last and below what follows it are lost
// themselves, and what was lost at them, too; those further up are newer.
func addFork(forks []Fork, f Fork) []Fork {
	var older, newer []Fork
	for _, was := range forks {
		switch {
		case was.Last.Less(f.Last):
			older = append(older, was)
			continue
		case was.Last == f.Last && f.First.IsZero() && f.Lost.Less(was.First):
			f.First = was.First // it has gone since
		case !f.First.IsZero() && !was.Last.Less(f.First):
			newer = append(newer, was)
			continue
		}
		if f.Lost.Less(was.Lost) {
			f.Lost = was.Lost
		}
	}
	all := append(append(older, f), newer...)
	return all[max(0, len(all)-maxForks):]
}

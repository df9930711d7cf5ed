package streams

import (
	"maps"
	"slices"
	"sort"

	"pgregory.net/rapid"
)

// numbering is a channel's log as it should be: all events of the numbering,
// whether retained or not, and which are.
type numbering struct {
	clock    uint64
	base     ID // every position of number 0 from here on is before the first event
	start    ID // what the first event names
	baseLost bool
	all      []*Event // of the numbering as it is now, oldest first
	kept     []*Event
	told     []ID // every position a client was ever told, lost pasts included

	forks  []Fork
	common map[ID]ID   // of lost positions: the last ID that their past and the numbering have
	noted  map[ID]bool // of lost positions: a fork says so
}

func newNumbering() *numbering {
	l := &numbering{clock: 1000, base: ID{Ms: 1000}, start: ID{Ms: 1000}, common: map[ID]ID{}, noted: map[ID]bool{}}
	l.told = append(l.told, l.base)
	return l
}

func (l *numbering) last() ID {
	if len(l.all) == 0 {
		return l.start
	}
	return l.all[len(l.all)-1].ID
}

func (l *numbering) append(n int) {
	for range n {
		last := l.last()
		e := &Event{ID: ID{Ms: max(last.Ms, l.clock), N: last.N + 1}, Prev: last}
		l.all, l.kept = append(l.all, e), append(l.kept, e)
		l.told = append(l.told, e.ID)
		for i := range l.forks {
			if f := l.forks[i].Last; f == last || f.N+last.N == 0 {
				l.forks[i].First = e.ID
			}
		}
	}
}

// rollBack loses the last k events, retained or not, and the forks that were
// noted after those that are left. What comes then has a later time, unless the
// clock has gone back.
func (l *numbering) rollBack(k int, clock uint64) (lost ID) {
	lost = l.last()
	l.all = l.all[:len(l.all)-k]
	last := l.last()
	l.kept = slices.DeleteFunc(l.kept, func(e *Event) bool { return last.Less(e.ID) })
	l.forks = slices.DeleteFunc(l.forks, func(f Fork) bool { return f.First.IsZero() || last.Less(f.First) })
	for _, p := range l.told {
		above := last.Less(p) || last.N == 0 && p.N > 0 && !p.Less(l.base)
		if was, ok := l.common[p]; above && (!ok || !was.Less(last)) {
			l.common[p], l.noted[p] = last, false
		}
	}
	l.clock = clock
	return lost
}

// note has somebody see the rollback just now who stood at lost.
func (l *numbering) note(lost ID) {
	last := l.last()
	if !last.Less(lost) {
		return
	}
	was := len(l.forks)
	if l.forks = addFork(l.forks, Fork{Last: last, Lost: lost}); len(l.forks) == was && was == maxForks {
		for p := range l.noted {
			l.noted[p] = l.noted[p] && !l.common[p].Less(l.forks[0].Last)
		}
	}
	for p, common := range l.common {
		if common == last && (p.Ms < l.clock || !lost.Less(p) && p.N <= lost.N) {
			l.noted[p] = true
		}
	}
}

// noteLate has another node see that lost was lost when others may have noted
// it and what follows the fork may be gone.
func (l *numbering) noteLate(lost ID) {
	for _, f := range l.forks {
		if f.Last == l.common[lost] {
			l.forks = addFork(l.forks, Fork{Last: f.Last, Lost: lost})
			return
		}
	}
}

// begin loses everything and begins anew.
func (l *numbering) begin() {
	l.clock += 5
	l.base, l.baseLost, l.all, l.kept, l.forks = ID{Ms: l.clock}, false, nil, nil, nil
	clear(l.common)
	clear(l.noted)
	l.start = l.base
	l.told = append(l.told, l.base)
}

// rename moves up where the channel stands, before its first event.
func (l *numbering) rename() {
	if len(l.all) > 0 {
		return
	}
	l.clock = max(l.clock, l.start.Ms) + 1
	for p, common := range l.common {
		if common == l.start {
			l.common[p] = ID{Ms: l.clock}
		}
	}
	l.start = ID{Ms: l.clock}
	l.told = append(l.told, l.start)
}

func (l *numbering) head() Head {
	h := Head{Last: l.last(), Base: l.base}
	if l.baseLost {
		h.Base = ID{}
	}
	return h
}

// page is what a log has to answer.
func (l *numbering) page(q Query) Page {
	at := sort.Search(len(l.kept), func(i int) bool { return !l.kept[i].ID.Less(q.From) })
	to := min(len(l.kept), at+q.Events)
	p := Page{Head: l.head(), Events: l.kept[at:to], More: to < len(l.kept), Forks: l.forks}
	if at > 0 {
		p.Below = l.kept[at-1].ID
	}
	return p
}

func (l *numbering) place(p ID, events int) standing {
	s := place("a", p, l.page(after(p, events, 1<<20)))
	if s.fork == nil {
		return s
	}
	return l.place(s.fork.Last, events).lostBefore("a", p)
}

// resumes is where a client goes on that has all up to p: before the next event
// that there is.
func (l *numbering) resumes(p ID) ID {
	for _, e := range l.kept {
		if p.Less(e.ID) {
			return e.Prev
		}
	}
	return l.last()
}

// knows returns how many events of the numbering stand up to p, and whether p
// is a position in it.
func (l *numbering) knows(p ID) (n int, ok bool) {
	if p.N == 0 && !p.Less(l.base) && (!l.baseLost || p == l.start) {
		return 0, true
	}
	for i, e := range l.all {
		if e.ID == p {
			return i + 1, true
		}
	}
	return 0, false
}

// actions are what can happen to a log.
func (l *numbering) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"append": func(t *rapid.T) { l.append(rapid.IntRange(1, 6).Draw(t, "n")) },
		"wait":   func(*rapid.T) { l.clock++ },
		"trim": func(t *rapid.T) {
			l.kept = l.kept[rapid.IntRange(0, len(l.kept)).Draw(t, "n"):]
		},
		"delete": func(t *rapid.T) {
			if len(l.kept) > 0 {
				i := rapid.IntRange(0, len(l.kept)-1).Draw(t, "i")
				l.kept = slices.Delete(slices.Clone(l.kept), i, i+1)
			}
		},
		"expire": func(*rapid.T) { l.kept = nil },
		"begin":  func(*rapid.T) { l.begin() },
		"rename": func(*rapid.T) { l.rename() },
		"forget the base": func(*rapid.T) {
			l.baseLost = len(l.all) > 0 // an empty channel gets a new one
		},
		"roll back": func(t *rapid.T) {
			l.rollBack(rapid.IntRange(0, len(l.all)).Draw(t, "k"), l.clock+1)
		},
		"roll back and see": func(t *rapid.T) {
			l.note(l.rollBack(rapid.IntRange(0, len(l.all)).Draw(t, "k"), l.clock+1))
		},
		"see it late": func(t *rapid.T) {
			if lost := slices.SortedFunc(maps.Keys(l.common), ID.Compare); len(lost) > 0 {
				l.noteLate(rapid.SampledFrom(lost).Draw(t, "lost"))
			}
		},
	}
}

package streams

import (
	"slices"
	"sort"

	"pgregory.net/rapid"
)

// numbering is a channel's log as it should be: all events of the numbering,
// whether retained or not, and which are.
type numbering struct {
	clock    uint64
	base     ID
	baseLost bool
	all      []*Event // of the numbering as it is now, oldest first
	kept     []*Event
	told     []ID // every position a client was ever told, lost pasts included
}

func newNumbering() *numbering {
	l := &numbering{clock: 1000, base: ID{Ms: 1000}}
	l.told = append(l.told, l.base)
	return l
}

func (l *numbering) last() ID {
	if len(l.all) == 0 {
		return l.base
	}
	return l.all[len(l.all)-1].ID
}

func (l *numbering) append(n int) {
	for range n {
		last := l.last()
		e := &Event{ID: ID{Ms: max(last.Ms, l.clock), N: last.N + 1}, Prev: last}
		l.all, l.kept = append(l.all, e), append(l.kept, e)
		l.told = append(l.told, e.ID)
	}
}

// rollBack loses the last k events, retained or not. What comes then has a
// later time.
func (l *numbering) rollBack(k int) {
	l.all = l.all[:len(l.all)-k]
	l.kept = slices.DeleteFunc(l.kept, func(e *Event) bool { return l.last().Less(e.ID) })
	l.clock++
}

// begin loses everything and begins anew.
func (l *numbering) begin() {
	l.clock += 5
	l.base, l.baseLost, l.all, l.kept = ID{Ms: l.clock}, false, nil, nil
	l.told = append(l.told, l.base)
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
	p := Page{Head: l.head(), Events: l.kept[at:to], More: to < len(l.kept)}
	if at > 0 {
		p.Below = l.kept[at-1].ID
	}
	return p
}

func (l *numbering) place(p ID, events int) standing {
	return place("a", p, l.page(after(p, events, 1<<20)))
}

// knows returns how many events of the numbering stand up to p, and whether p
// is a position in it.
func (l *numbering) knows(p ID) (n int, ok bool) {
	if p == l.base {
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
		"forget the base": func(*rapid.T) {
			l.baseLost = len(l.all) > 0 // an empty channel gets a new one
		},
		"roll back": func(t *rapid.T) {
			l.rollBack(rapid.IntRange(0, len(l.all)).Draw(t, "k"))
		},
	}
}

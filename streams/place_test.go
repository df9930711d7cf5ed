package streams

import (
	"slices"
	"sort"
	"testing"

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

func TestPlaceAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newNumbering()
		actions := l.actions()
		actions[""] = func(t *rapid.T) {
			for _, p := range l.told {
				checkPlace(t, l, p, rapid.IntRange(1, 5).Draw(t, "events"))
			}
		}
		t.Repeat(actions)
	})
}

func checkPlace(t *rapid.T, l *numbering, p ID, events int) {
	s := l.place(p, events)
	if n, ok := l.knows(p); ok {
		checkKnown(t, l, p, n, s)
	} else {
		checkLost(t, l, p, s)
	}
	if s.ahead {
		s = rolledBack("a", p, s.last)
	}
	at := s.from
	for _, e := range s.events {
		if e.Prev != at {
			t.Fatalf("from %v event %v (prev %v) after %v", p, e.ID, e.Prev, at)
		}
		at = e.ID
	}
	if s.gap != nil {
		checkGap(t, p, s)
	}
	if again := l.place(s.from, events); again.gap != nil || again.ahead {
		t.Fatalf("%v was the new position of %v and has a gap: %+v", s.from, p, again)
	}
}

func checkGap(t *rapid.T, p ID, s standing) {
	g := s.gap
	var resumed ID
	if len(s.events) > 0 {
		resumed = s.events[0].ID
	}
	numbered := g.Reason == Trimmed || g.Reason == Expired
	if g.After != p || g.Last != s.from || g.Resumed != resumed || g.Missed == 0 || g.Missed > 0 && !numbered {
		t.Fatalf("from %v %+v", p, g)
	}
}

// checkKnown: n events of the numbering stand up to p.
func checkKnown(t *rapid.T, l *numbering, p ID, n int, s standing) {
	if s.ahead {
		t.Fatalf("%v is ahead of %v", p, l.last())
	}
	missing := len(l.all) - n
	for i, e := range l.all[n:] {
		if slices.Contains(l.kept, e) {
			missing = i
			break
		}
	}
	if missing == 0 {
		if s.gap != nil {
			t.Fatalf("nothing is missing after %v: %+v", p, s.gap)
		}
		return
	}
	reason, number := Trimmed, int64(missing)
	if len(l.kept) == 0 {
		reason = Expired
	}
	if l.baseLost {
		number = MissedUnknown
	}
	if s.gap == nil || s.gap.Reason != reason || s.gap.Missed != number {
		t.Fatalf("after %v %d are missing: %+v", p, missing, s.gap)
	}
}

// checkLost: p is from a past that was lost. That may look like events that
// were trimmed only where the log holds nothing that proves it.
func checkLost(t *rapid.T, l *numbering, p ID, s standing) {
	if s.ahead != l.last().Less(p) {
		t.Fatalf("%v, the last is %v: ahead %v", p, l.last(), s.ahead)
	}
	if s.ahead {
		return
	}
	if s.gap == nil {
		t.Fatalf("%v is lost and has no gap", p)
	}
	page := l.page(after(p, 1, 1))
	above := l.last()
	if len(page.Events) > 0 {
		above = page.Events[0].Prev
	}
	want := Rollback
	if p.Less(l.base) && !l.baseLost {
		want = Unknown
	}
	proven := above.Less(p) || above.N <= p.N || page.Below == above || !page.Below.IsZero() && page.Below.N >= p.N
	if (proven || want == Unknown) && s.gap.Reason != want {
		t.Fatalf("%v is lost: %+v", p, s.gap)
	}
}

// TestPlaceReadsOn has clients read on and on while things happen to the log:
// nobody gets an event twice, and without a rollback what they got and what
// they were told they missed is all there was.
func TestPlaceReadsOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newNumbering()
		clients := make([]*modelClient, 4)
		for i := range clients {
			clients[i] = &modelClient{at: l.base, exact: true, seen: map[ID]bool{}}
		}
		actions := l.actions()
		actions["read"] = func(t *rapid.T) {
			c := rapid.SampledFrom(clients).Draw(t, "client")
			c.read(t, l, rapid.IntRange(1, 8).Draw(t, "events"))
		}
		t.Repeat(actions)
		for _, c := range clients {
			for c.read(t, l, 3) {
			}
			if c.at != l.last() {
				t.Fatalf("a client came to %v, the last is %v", c.at, l.last())
			}
		}
	})
}

type modelClient struct {
	at    ID
	seen  map[ID]bool
	count uint64 // got and missed
	exact bool   // nothing but gaps with a number so far
}

// read reads a page and reports whether the position moved.
func (c *modelClient) read(t *rapid.T, l *numbering, events int) bool {
	was := c.at
	s := l.place(c.at, events)
	if s.ahead {
		s = rolledBack("a", c.at, s.last)
	}
	c.at = s.from
	if s.gap != nil && s.gap.Missed == MissedUnknown {
		c.exact = false
	} else if s.gap != nil {
		c.count += uint64(s.gap.Missed)
	}
	for _, e := range s.events {
		if c.seen[e.ID] {
			t.Fatalf("%v came twice", e.ID)
		}
		c.seen[e.ID], c.at = true, e.ID
		c.count++
	}
	if c.exact && c.count != c.at.N {
		t.Fatalf("at %v, got and missed %d", c.at, c.count)
	}
	return c.at != was
}

// Cases that once went wrong, or could.
func TestPlaceCases(t *testing.T) {
	event := func(id, prev ID) *Event { return &Event{ID: id, Prev: prev} }
	base := ID{Ms: 100}
	head := Head{Base: base, Last: ID{Ms: 300, N: 9}}
	nine := event(ID{Ms: 300, N: 9}, ID{Ms: 250, N: 8})
	for name, c := range map[string]struct {
		p    ID
		page Page
		want Gap
	}{
		"the number before the first, at another time": {
			ID{Ms: 200, N: 8}, Page{Head: head, Events: []*Event{nine}},
			Gap{Last: nine.Prev, Resumed: nine.ID, Missed: MissedUnknown, Reason: Rollback},
		},
		"above the one before the first, with a lower number": {
			ID{Ms: 260, N: 3}, Page{Head: head, Events: []*Event{nine}},
			Gap{Last: nine.Prev, Resumed: nine.ID, Missed: MissedUnknown, Reason: Rollback},
		},
		"above an event with a higher number": {
			ID{Ms: 200, N: 3}, Page{Head: head, Events: []*Event{nine}, Below: ID{Ms: 150, N: 4}},
			Gap{Last: nine.Prev, Resumed: nine.ID, Missed: MissedUnknown, Reason: Rollback},
		},
		"the last number, at another time": {
			ID{Ms: 200, N: 9}, Page{Head: head},
			Gap{Last: head.Last, Missed: MissedUnknown, Reason: Rollback},
		},
		"deleted by hand at the end": {
			ID{Ms: 200, N: 6}, Page{Head: head, Below: ID{Ms: 200, N: 6}},
			Gap{Last: head.Last, Missed: 3, Reason: Trimmed},
		},
	} {
		c.want.Channel, c.want.After = "a", c.p
		if s := place("a", c.p, c.page); s.gap == nil || *s.gap != c.want {
			t.Errorf("%s: %+v, want %+v", name, s.gap, c.want)
		}
	}
	ahead := place("a", ID{Ms: 400, N: 12}, Page{Head: head})
	restored := place("a", ID{Ms: 400, N: 12}, Page{Head: head, Below: ID{Ms: 400, N: 12}})
	if !ahead.ahead || restored.ahead || restored.gap != nil {
		t.Errorf("%+v, with an event above the head %+v", ahead, restored)
	}
}

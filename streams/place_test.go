package streams

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

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

// checkNoted: p is from a past that was lost, and somebody saw it.
func checkNoted(t *rapid.T, l *numbering, p ID, s standing) {
	if s.ahead {
		s = rolledBack("a", p, s.last)
	}
	if s.gap == nil || s.gap.Reason != Rollback || s.from != l.resumes(l.common[p]) {
		t.Fatalf("%v was lost after %v: on from %v, %+v; forks %v, kept from %v", p, l.common[p], s.from, s.gap, l.forks, l.resumes(ID{}))
	}
}

// checkLost: p is from a past that was lost. That may look like events that
// were trimmed only where the log holds nothing that proves it.
func checkLost(t *rapid.T, l *numbering, p ID, s standing) {
	if l.noted[p] {
		checkNoted(t, l, p, s)
		return
	}
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

// TestPlaceClockBehind: the log that goes on has a clock that is behind, or the
// one that was lost lived on for a while, so that IDs of both stand among each
// other. Who comes from the lost past goes on at the fork, and passes over
// nothing that is there, wherever its position would stand; who does not is
// told a rollback at most, never a number that may be wrong.
func TestPlaceClockBehind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newNumbering()
		some := func(what string) { l.append(rapid.IntRange(1, 6).Draw(t, what)); l.clock += 3 }
		for range 3 {
			some("before")
		}
		clock := l.clock
		some("lost")
		some("lost")
		lost := l.rollBack(rapid.IntRange(1, len(l.all)).Draw(t, "k"), clock-rapid.Uint64Range(0, 9).Draw(t, "behind"))
		l.note(lost)
		fork := l.forks[0]
		for range 6 {
			some("after")
			if rapid.Bool().Draw(t, "trim") {
				l.kept = l.kept[rapid.IntRange(0, len(l.kept)).Draw(t, "n"):]
			}
			for _, p := range l.told {
				s := l.place(p, 3)
				n, known := l.knows(p)
				gone := !slices.ContainsFunc(l.kept, func(e *Event) bool { return e.ID == p })
				switch twice := gone && fork.Last.Less(p) && p.N <= lost.N; {
				case !known:
					checkNoted(t, l, p, s)
				case !twice || s.gap == nil || s.gap.Reason != Rollback:
					checkKnown(t, l, p, n, s)
				}
			}
		}
	})
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

package streams

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// modelTail is a tail kept the simplest way: everything since the last reset,
// and how many of the oldest are forgotten.
type modelTail struct {
	at    ID // where the last reset began
	all   []*Event
	gone  int
	known bool
}

func (m *modelTail) held() []*Event { return m.all[m.gone:] }

func (m *modelTail) newest() ID {
	return lastStored(m.at, m.all)
}

func lastStored(at ID, events []*Event) ID {
	for _, e := range events {
		if !e.Ephemeral() {
			at = e.ID
		}
	}
	return at
}

// follows returns what a reader at position p that comes by gets, and whether
// the tail answers for p.
func (m *modelTail) follows(p ID) ([]*Event, bool) {
	if !m.known {
		return nil, false
	}
	if p == m.newest() {
		return nil, true
	}
	rest := m.held()
	if p != lastStored(m.at, m.all[:m.gone]) {
		i := slices.IndexFunc(rest, func(e *Event) bool { return e.ID == p && !e.Ephemeral() })
		if i < 0 {
			return nil, false
		}
		rest = rest[i+1:]
	}
	i := slices.IndexFunc(rest, func(e *Event) bool { return !e.Ephemeral() })
	return rest[i:], true
}

// modelReader stands in the tail at a number, as a subscription does.
type modelReader struct {
	number uint64
	next   int // index in modelTail.all
}

func TestTailAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tl, m := &tail{}, &modelTail{}
		positions := []ID{{Ms: 1}}
		var r *modelReader
		offer := func(e *Event, want heard) {
			if got := tl.offer(e); got != want {
				t.Fatalf("offered %v (prev %v): %d, want %d", e.ID, e.Prev, got, want)
			}
		}
		next := func(ephemeral bool) *Event {
			e := &Event{Data: make([]byte, rapid.IntRange(0, 300).Draw(t, "size"))}
			if !ephemeral {
				e.Prev = m.newest()
				e.ID = ID{Ms: e.Prev.Ms + rapid.Uint64Range(0, 2).Draw(t, "ms"), N: e.Prev.N + 1}
			}
			return e
		}
		drop := func(n int) {
			size := 0
			for _, e := range m.held()[:n] {
				size += e.Size()
			}
			if freed := tl.drop(n); freed != size {
				t.Fatalf("freed %d of %d bytes", freed, size)
			}
			m.gone += n
		}
		t.Repeat(map[string]func(*rapid.T){
			"reset": func(t *rapid.T) {
				at := ID{Ms: m.newest().Ms + 1, N: rapid.Uint64Range(0, 5).Draw(t, "n")}
				tl.reset(at)
				*m, r = modelTail{at: at, known: true}, nil
				positions = append(positions, at)
			},
			"offer": func(t *rapid.T) {
				e := next(rapid.IntRange(0, 2).Draw(t, "ephemeral") == 0)
				if !m.known {
					offer(e, heardHole)
					return
				}
				offer(e, heardNew)
				m.all = append(m.all, e)
				if !e.Ephemeral() {
					positions = append(positions, e.ID)
				}
			},
			"offer again": func(t *rapid.T) {
				if len(m.held()) > 0 {
					if e := rapid.SampledFrom(m.held()).Draw(t, "event"); !e.Ephemeral() {
						offer(e, heardKnown)
					}
				}
			},
			"offer beyond": func(*rapid.T) {
				e := next(false)
				offer(&Event{ID: ID{Ms: e.ID.Ms, N: e.ID.N + 1}, Prev: e.ID}, heardHole)
			},
			"drop":   func(t *rapid.T) { drop(rapid.IntRange(0, len(m.held())).Draw(t, "n")) },
			"excess": func(t *rapid.T) { drop(checkExcess(t, tl, m.held())) },
			"come by": func(t *rapid.T) {
				p := rapid.SampledFrom(positions).Draw(t, "p")
				follows, ok := m.follows(p)
				number, gotOK := tl.number(p)
				if ok != gotOK || ok && number == 0 {
					t.Fatalf("at %v: number %d, %v, want %v", p, number, gotOK, ok)
				}
				if ok {
					r = &modelReader{number, len(m.all) - len(follows)}
				}
			},
			"read": func(t *rapid.T) {
				if r == nil || r.next < m.gone {
					if r != nil && tl.first <= r.number {
						t.Fatalf("the tail begins at %d and should be past %d", tl.first, r.number)
					}
					return
				}
				bytes := rapid.IntRange(1, 2000).Draw(t, "bytes")
				var got []*Event
				got, r.number = tl.read(r.number, 0, nil, bytes)
				want := m.all[r.next : r.next+len(got)]
				if !slices.Equal(got, want) || len(got) == 0 && r.next < len(m.all) {
					t.Fatalf("read %d events, not those that follow", len(got))
				}
				checkBytes(t, got, m.all[r.next:], bytes)
				if r.next += len(got); (r.number == tl.end()) != (r.next == len(m.all)) {
					t.Fatalf("at number %d of %d after event %d of %d", r.number, tl.end(), r.next, len(m.all))
				}
			},
			"": func(t *rapid.T) {
				size := 0
				for _, e := range m.held() {
					size += e.Size()
				}
				if tl.size != size || len(tl.events) != len(m.held()) || tl.newest != m.newest() {
					t.Fatalf("%d bytes, %d events to %v, want %d, %d, %v",
						tl.size, len(tl.events), tl.newest, size, len(m.held()), m.newest())
				}
			},
		})
	})
}

// checkBytes: a reading ends with the event that passes the bytes, not before.
func checkBytes(t *rapid.T, got, rest []*Event, bytes int) {
	for i, e := range got {
		if bytes <= 0 {
			t.Fatalf("%d events, the bytes were over at %d", len(got), i)
		}
		bytes -= e.Size()
	}
	if bytes > 0 && len(got) < len(rest) {
		t.Fatalf("%d events of %d with %d bytes to spare", len(got), len(rest), bytes)
	}
}

func checkExcess(t *rapid.T, tl *tail, held []*Event) int {
	events, bytes := rapid.IntRange(0, 20).Draw(t, "events"), rapid.IntRange(0, 5000).Draw(t, "bytes")
	n := tl.excess(events, bytes)
	within := func(rest []*Event) bool {
		size := 0
		for _, e := range rest {
			size += e.Size()
		}
		return len(rest) <= events && size <= bytes
	}
	if !within(held[n:]) || n > 0 && within(held[n-1:]) {
		t.Fatalf("%d too many of %d", n, len(held))
	}
	return n
}

func TestTailOlder(t *testing.T) {
	now := time.Now()
	tl := tail{events: []held{{&Event{}, now}, {&Event{}, now.Add(1)}, {&Event{}, now.Add(2)}}}
	for i, want := range []int{0, 1, 2, 3} {
		if n := tl.older(now.Add(time.Duration(i))); n != want {
			t.Errorf("%d are older than the time of event %d", n, i)
		}
	}
}

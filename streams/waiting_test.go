package streams

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// member is a waiter of a crowd that keeps what it is woken with.
type member struct{ *mob }

type mob struct{ woken []*Woken }

func (m *mob) WakeAll(w *Woken)   { m.woken = append(m.woken, w) }
func (m member) Crowd() Crowd     { return m.mob }
func (member) Wake(*Subscription) {}

// TestWaitingAgainstModel: whoever comes, goes, begins to wait and is woken,
// alone or with its crowd, a channel's subscriptions stand where they say, and
// those that wait first.
func TestWaitingAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &channel{broker: &Broker{}}
		waits := map[*Subscription]bool{}
		crowds := []*mob{{}, {}}
		some := func(waiting bool) *Subscription {
			for _, a := range c.audiences {
				for _, s := range a.subs {
					if waits[s] == waiting {
						return s
					}
				}
			}
			return nil
		}
		woken := func(s *Subscription) {
			if !waits[s] || !s.Due() {
				t.Fatal("woken, and did not wait")
			}
			waits[s] = false
		}
		t.Repeat(map[string]func(*rapid.T){
			"come": func(t *rapid.T) {
				s := &Subscription{channel: c, waiter: NewSignal()}
				if n := rapid.IntRange(0, 2).Draw(t, "crowd"); n < 2 {
					s.waiter = member{crowds[n]}
				}
				c.enlist(s)
				waits[s] = false
			},
			"wait": func(*rapid.T) {
				if s := some(false); s != nil {
					c.await(s)
					waits[s] = true
				}
			},
			"go back": func(*rapid.T) {
				if s := some(true); s != nil {
					c.unlist(s)
					waits[s] = false
				}
			},
			"go": func(t *rapid.T) {
				if s := some(rapid.Bool().Draw(t, "waiting")); s != nil {
					c.delist(s)
					delete(waits, s)
				}
			},
			"wake all": func(t *rapid.T) {
				w := c.takeWaiting()
				alone := slices.Clone(w.subs)
				w.wake()
				for _, s := range alone {
					woken(s)
				}
				for _, m := range crowds {
					for _, w := range m.woken {
						for w.Len() > 2 {
							for _, s := range w.Take(nil, 2) {
								woken(s)
							}
						}
						for _, s := range w.Take(nil, 2) {
							woken(s)
						}
					}
					m.woken = nil
				}
			},
			"": func(t *rapid.T) {
				if open, _ := c.count(); open != len(waits) {
					t.Fatalf("%d subscriptions, want %d", open, len(waits))
				}
				for n, a := range c.audiences {
					for i, s := range a.subs {
						if int(s.place) != i || int(s.audience) != n || waits[s] != (i < a.waiting) || c.awaits(s) != waits[s] {
							t.Fatalf("at %d of %d waiting: place %d, waits %v", i, a.waiting, s.place, waits[s])
						}
					}
				}
				if quiet := len(waits) > 0 && !slices.Contains(slices.Collect(maps.Values(waits)), false); c.quiet() != quiet {
					t.Fatalf("quiet is %v", c.quiet())
				}
			},
		})
	})
}

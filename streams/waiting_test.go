package streams

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestWaitingAgainstModel: whoever comes, goes, begins to wait and is woken,
// a channel's subscriptions stand where they say, and those that wait first.
func TestWaitingAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &channel{broker: &Broker{}}
		waits := map[*Subscription]bool{}
		some := func(waiting bool) *Subscription {
			for _, s := range c.subscribed {
				if waits[s] == waiting {
					return s
				}
			}
			return nil
		}
		t.Repeat(map[string]func(*rapid.T){
			"come": func(*rapid.T) {
				s := &Subscription{channel: c}
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
				for _, s := range c.takeWaiting().subs {
					if !waits[s] || !s.Due() {
						t.Fatal("woken, and did not wait")
					}
					waits[s] = false
				}
			},
			"": func(t *rapid.T) {
				if len(c.subscribed) != len(waits) {
					t.Fatalf("%d subscriptions, want %d", len(c.subscribed), len(waits))
				}
				for i, s := range c.subscribed {
					first := i < c.waiting
					if int(s.place) != i || waits[s] != first || (s.waits == forEvent) != first {
						t.Fatalf("at %d of %d waiting: place %d, waits %v", i, c.waiting, s.place, waits[s])
					}
				}
				if quiet := len(waits) > 0 && !slices.Contains(slices.Collect(maps.Values(waits)), false); c.quiet() != quiet {
					t.Fatalf("quiet is %v", c.quiet())
				}
			},
		})
	})
}

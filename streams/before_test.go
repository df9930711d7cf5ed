package streams

import (
	"strings"
	"testing"
)

// Older pages end before a hole, and say how large it is, whether the position
// asked for stands beside it or in it.
func TestBeforeHoles(t *testing.T) {
	inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, log *frail) {
		ids := append([]ID{{}}, publish(t, b, "1", "2", "3", "4", "5", "6", "7", "8", "9", "10")...)
		log.tamper(func(c *memoryChannel) {
			kept := c.events[:0]
			for _, e := range c.events {
				if n := e.ID.N; n != 4 && n != 5 && n != 7 && n != 10 {
					kept = append(kept, e)
				}
			}
			c.events = kept
		})
		gap := func(after, last int, missed int64) *Gap {
			return &Gap{Channel: "a", After: ids[after], Last: ids[last], Missed: missed, Reason: Trimmed}
		}
		for _, c := range []struct {
			before, limit int
			texts         string
			gap           *Gap
			more          bool
		}{
			{0, 10, "8 9", gap(9, 10, 1), true},
			{0, 1, "9", gap(9, 10, 1), true},
			{10, 10, "8 9", nil, true},
			{9, 10, "8", nil, true},
			{8, 10, "6", gap(6, 7, 1), true},
			{7, 10, "6", nil, true},
			{6, 10, "1 2 3", gap(3, 5, 2), false},
			{6, 2, "2 3", gap(3, 5, 2), true},
			{5, 10, "1 2 3", gap(3, 5, 1), false},
			{5, 1, "3", gap(3, 5, 1), true},
			{4, 10, "1 2 3", nil, false},
			{1, 10, "", nil, false},
		} {
			back, err := b.Before(t.Context(), "a", ids[c.before], c.limit, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			var texts []string
			for _, e := range back.Events {
				texts = append(texts, string(e.Data))
			}
			same := back.Gap == c.gap || back.Gap != nil && c.gap != nil && *back.Gap == *c.gap
			if strings.Join(texts, " ") != c.texts || !same || back.More != c.more {
				t.Errorf("before %d, %d: %q, more %v, gap %+v, want %+v", c.before, c.limit, texts, back.More, back.Gap, c.gap)
			}
		}
	})
}

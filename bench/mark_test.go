//go:build linux

package main

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func drawMark(t *rapid.T) mark {
	return mark{
		source: rapid.IntRange(0, maxSources-1).Draw(t, "source"),
		number: uint32(rapid.IntRange(0, 99_999_999).Draw(t, "number")),
		sent:   time.Duration(rapid.IntRange(0, 9_999_999_999).Draw(t, "sent")) * time.Microsecond,
	}
}

// An event is JSON of the size asked for, and gives its mark back from among
// anything else.
func TestEventCarriesMark(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMark(t)
		size := rapid.IntRange(leastSize, 100_000).Draw(t, "size")
		event := appendEvent(nil, m, size)
		if len(event) != size || !json.Valid(event) {
			t.Fatalf("%d bytes, want %d: %q", len(event), size, event)
		}
		noise := rapid.StringMatching(`[~.0-9]{0,60}`).Draw(t, "noise")
		got, rest, ok := nextMark(append([]byte(noise), event...))
		if !ok || got != m {
			t.Fatalf("%+v, %v, want %+v", got, ok, m)
		}
		if _, _, more := nextMark(rest); more {
			t.Fatalf("a second mark in %q", event)
		}
	})
}

func FuzzNextMark(f *testing.F) {
	f.Add(appendMark(nil, mark{source: 3, number: 7, sent: time.Second}))
	f.Add([]byte("~~00000.00000000.0000000000~~"))
	f.Add([]byte(markForm[:20]))
	f.Fuzz(func(t *testing.T, b []byte) {
		for m, rest, ok := nextMark(b); ok; m, rest, ok = nextMark(rest) {
			again, _, ok := nextMark(appendMark(nil, m))
			if !ok || again != m {
				t.Fatalf("%+v came back as %+v", m, again)
			}
			if len(rest) >= len(b) {
				t.Fatal("no progress")
			}
		}
	})
}

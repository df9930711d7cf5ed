package server

import (
	"testing"

	"pgregory.net/rapid"
)

// TestFrameTracker: however the bytes of frames are cut, the tracker stands
// between messages right after the last frame of each, and nowhere else.
func TestFrameTracker(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var wire []byte
		between := map[int]bool{0: true}
		for range rapid.IntRange(1, 5).Draw(t, "messages") {
			fragments := rapid.IntRange(1, 3).Draw(t, "fragments")
			for i := range fragments {
				if rapid.Bool().Draw(t, "ping before it") {
					wire = appendClientFrame(wire, finalFrame|opPing, rapid.IntRange(0, 125).Draw(t, "ping"))
					if i == 0 {
						between[len(wire)] = true
					}
				}
				first := byte(opText)
				if i > 0 {
					first = 0 // continuation
				}
				if i == fragments-1 {
					first |= finalFrame
				}
				wire = appendClientFrame(wire, first, rapid.SampledFrom([]int{0, 1, 125, 126, 300, 70000}).Draw(t, "size"))
			}
			between[len(wire)] = true
		}
		var tracker frameTracker
		for at := 0; at < len(wire); {
			n := rapid.IntRange(1, min(len(wire)-at, 40000)).Draw(t, "piece")
			if good := tracker.pass(wire[at : at+n]); good != n {
				t.Fatalf("at byte %d of %d it is wrong that %s", at, len(wire), tracker.wrong)
			}
			if at += n; tracker.between() != between[at] {
				t.Fatalf("at byte %d of %d: between %v", at, len(wire), tracker.between())
			}
		}
	})
}

func appendClientFrame(b []byte, first byte, size int) []byte {
	head := appendFrameHeader(nil, 0, size)
	head[0] = first
	head[1] |= 0x80
	b = append(append(b, head...), 1, 2, 3, 4)
	return append(b, make([]byte, size)...)
}

package server

import (
	"testing"
	"time"
)

// TestSpread: feeds that came within a moment of each other are kept alive
// evenly over a quarter of the interval, and none later than promised.
func TestSpread(t *testing.T) {
	const feeds, parts = 10_000, 10
	interval := 25 * time.Second
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var in [parts]int
	for i := range feeds {
		since := began.Add(time.Duration(i) * time.Microsecond)
		wait := spread(since, interval).Sub(since)
		if wait > interval || wait < interval*3/4 {
			t.Fatalf("waits %v", wait)
		}
		in[min(int((interval-wait)*parts/(interval/4)), parts-1)]++
	}
	for i, n := range in {
		if n < feeds/parts*8/10 || n > feeds/parts*12/10 {
			t.Errorf("part %d of the time has %d feeds of %d", i, n, feeds)
		}
	}
}

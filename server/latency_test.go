package server

import (
	"testing"
	"time"
)

func TestLatencyBuckets(t *testing.T) {
	for _, d := range []time.Duration{-1, 0, 1, 63 * time.Microsecond, 64 * time.Microsecond, 64*time.Microsecond + 1, 65 * time.Microsecond,
		128 * time.Microsecond, 129 * time.Microsecond, time.Millisecond, time.Second, time.Minute, 67108864 * time.Microsecond, 67108864*time.Microsecond + 1, time.Hour} {
		b := latencyBucket(d)
		if b < latencyBuckets && d.Seconds() > latencyBound(b) {
			t.Errorf("%v is above its bucket's %v s", d, latencyBound(b))
		}
		if b > 0 && d.Seconds() <= latencyBound(b-1) {
			t.Errorf("%v would fit below %v s", d, latencyBound(b-1))
		}
	}
	var l latencies
	l.observe(-time.Second)
	l.observe(time.Second)
	l.observe(time.Hour)
	count, sum, upTo := l.histogram()
	if count != 3 || sum != 3601 || upTo[latencyBound(0)] != 1 || upTo[latencyBound(latencyBuckets-1)] != 2 || len(upTo) != latencyBuckets {
		t.Errorf("%d, %v, %v", count, sum, upTo)
	}
}

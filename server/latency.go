package server

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// latencyBuckets are powers of two, from 2^latencyFirst µs (64 µs) to about a
// minute; what took longer is in +Inf only.
const (
	latencyFirst   = 6
	latencyBuckets = 21
)

// latencies counts how long events took from the log to a connection: two
// additions per observation, by any number of workers.
type latencies struct {
	buckets [latencyBuckets + 1]atomic.Uint64
	sum     atomic.Int64 // nanoseconds
}

func (l *latencies) observe(d time.Duration) {
	d = max(d, 0) // the log's clock may be ahead
	l.buckets[latencyBucket(d)].Add(1)
	l.sum.Add(int64(d))
}

// latencyBucket is the first bucket whose bound is not below d.
func latencyBucket(d time.Duration) int {
	up := (d + time.Microsecond - 1) / time.Microsecond
	if up <= 1 {
		return 0
	}
	return min(max(bits.Len64(uint64(up-1))-latencyFirst, 0), latencyBuckets)
}

// latencyBound is a bucket's upper bound in seconds.
func latencyBound(bucket int) float64 {
	return (time.Microsecond << (latencyFirst + bucket)).Seconds()
}

// histogram returns what a Prometheus histogram is made of: the count, the sum
// in seconds, and how many there were up to each bound.
func (l *latencies) histogram() (count uint64, sum float64, upTo map[float64]uint64) {
	upTo = make(map[float64]uint64, latencyBuckets)
	for i := range l.buckets {
		count += l.buckets[i].Load()
		if i < latencyBuckets {
			upTo[latencyBound(i)] = count
		}
	}
	return count, time.Duration(l.sum.Load()).Seconds(), upTo
}

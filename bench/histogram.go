//go:build linux

package main

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets that grow with them, in the manner of
// HdrHistogram: exact to a microsecond below 256 µs, to 0.8 % above, to the
// largest. The zero value is empty.
type histogram struct {
	counts [buckets]int64
	total  int64
}

const (
	fine    = 8 // a power of two is divided into 1<<(fine-1) buckets
	buckets = (64 - fine + 2) << (fine - 1)
)

// record counts d; a negative one (a clock's jitter) is zero.
func (h *histogram) record(d time.Duration) {
	h.counts[bucket(uint64(max(d, 0)/time.Microsecond))]++
	h.total++
}

// merge adds what another one counted.
func (h *histogram) merge(other *histogram) {
	for b, n := range other.counts {
		h.counts[b] += n
	}
	h.total += other.total
}

func bucket(µs uint64) int {
	shift := max(bits.Len64(µs)-fine, 0)
	return shift<<(fine-1) + int(µs>>shift)
}

// highest is the largest value, in microseconds, that the bucket counts.
func highest(bucket int) uint64 {
	shift := max(bucket>>(fine-1)-1, 0)
	return uint64(bucket-shift<<(fine-1)+1)<<shift - 1
}

// quantile returns the duration that the share q (0 to 1) of all did not
// exceed, rounded up to its bucket; 0 when nothing was counted.
func (h *histogram) quantile(q float64) time.Duration {
	rank := max(int64(q*float64(h.total)+0.5), 1)
	for b, n := range h.counts {
		if rank -= n; rank <= 0 {
			return time.Duration(highest(b)) * time.Microsecond
		}
	}
	return 0
}

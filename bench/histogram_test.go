//go:build linux

package main

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Quantiles are those of the sorted values, to a microsecond or 0.8 %.
func TestHistogramQuantile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, int64(time.Hour)), 1, 200).Draw(t, "values")
		h, other := new(histogram), new(histogram)
		for i, v := range values {
			if i%2 == 0 {
				h.record(time.Duration(v))
			} else {
				other.record(time.Duration(v))
			}
		}
		h.merge(other)
		slices.Sort(values)
		for _, q := range []float64{0, 0.5, 0.99, 1} {
			rank := max(int(q*float64(len(values))+0.5), 1)
			want := float64(values[rank-1])
			got := float64(h.quantile(q))
			if low, high := want-float64(time.Microsecond), want*1.008+float64(time.Microsecond); got < low || got > high {
				t.Fatalf("quantile %v is %v, want %v to %v", q, got, low, high)
			}
		}
	})
}

func TestHistogramEdges(t *testing.T) {
	h := new(histogram)
	if got := h.quantile(0.5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	h.record(-time.Second)
	if got := h.quantile(1); got != 0 {
		t.Errorf("of a negative: %v", got)
	}
	if got := bucket(math.MaxUint64); got != buckets-1 {
		t.Errorf("the largest is in bucket %d of %d", got, buckets)
	}
	for b := range buckets - 1 {
		if bucket(highest(b)) != b || bucket(highest(b)+1) != b+1 {
			t.Fatalf("bucket %d ends at %d", b, highest(b))
		}
	}
}

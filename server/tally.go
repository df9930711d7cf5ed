package server

import (
	"sync/atomic"
	"time"

	"runnel/streams"
)

// tally is what one worker counts, apart from the other workers' so that they
// do not wait for each other's cache lines.
type tally struct {
	events  atomic.Uint64 // delivered: all of their bytes were written
	batches uint64
	latency func(time.Duration)
	_       [64]byte
}

// count counts events that went out whole. Most often there are some.
func (t *tally) count(events int32) {
	if events > 0 {
		t.events.Add(uint64(events))
	}
}

// latencySample is how many batches share one measurement: each costs more
// than counting does.
const latencySample = 16

// sample measures now and then how long ago an event that is about to be
// written was appended, if its feed had waited for it.
func (t *tally) sample(b *streams.Batch) {
	n := len(b.Events)
	if n == 0 || !b.Live {
		return
	}
	t.batches++
	if e := b.Events[n-1]; t.batches%latencySample == 1 && !e.Ephemeral() {
		t.latency(time.Since(e.ID.Time()))
	}
}

package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// gcPercent lets garbage grow to twice what is live before it is collected.
// What a hub keeps is small beside what passes through it, so that collecting
// at the runtime's 100 took a sixth of the CPU of a busy node; handBack sees to
// it that a quiet one does not keep the garbage. GOGC and GOMEMLIMIT in the
// environment hold as for any Go program.
const gcPercent = 200

func paceCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

const (
	// A burst allocates so much: ten thousand clients that connect.
	burst = 16 << 20
	// A second in which less is allocated is a quiet one. Collecting then
	// costs some milliseconds that nobody waits for.
	quiet = 1 << 20
)

// handBack gives memory back to the system when a burst is over, until ctx
// ends. The runtime would keep it: it frees nothing while nothing is
// allocated, and returns what is free little by little.
func handBack(ctx context.Context) {
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	before, cleaned := allocated(), uint64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		now := allocated()
		if now-before < quiet && now-cleaned > burst {
			debug.FreeOSMemory()
			cleaned = now
		}
		before = now
	}
}

// allocated is how many bytes were ever allocated on the heap.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

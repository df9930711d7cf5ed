// Package worktest bounds the work that a parser does, for tests: one that
// searches to the far end of its input again and again is quick on what tests
// usually give it, and holds a processor for seconds on what an attacker sends.
package worktest

import (
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"
)

const (
	small, large = 64 << 10, 1 << 20
	parts        = large / small
	// most is how many times as long as a small input a large one may take: a
	// parser that goes through it once takes 16 times as long, one that begins
	// anew at every byte 256 times.
	most = 20
	// atOnce is less than reading a large input takes: it was refused for its size.
	atOnce = 50 * time.Microsecond
	// patience is for a machine with other things to do: until it is over, a
	// quicker run may still be seen.
	patience = 20 * time.Second
)

// Linear fails the test where work on an input of 1 MiB takes more than twenty
// times as long as on one of 64 KiB. Input makes the worst input of about n
// bytes.
func Linear[T string | []byte](t *testing.T, input func(n int) T, work func(T)) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	linear(t, input, work, thread)
}

// LinearTogether is Linear for work that has goroutines of its own, in a test
// beside which no other one works.
func LinearTogether[T string | []byte](t *testing.T, input func(n int) T, work func(T)) {
	t.Helper()
	linear(t, input, work, syscall.RUSAGE_SELF)
}

func linear[T string | []byte](t *testing.T, input func(n int) T, work func(T), who int) {
	t.Helper()
	whole := input(large)
	var pieces [parts]T // as many as make a whole, so that caches help neither
	for i := range pieces {
		pieces[i] = input(small)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	inOne, inParts := time.Duration(1<<62), time.Duration(1<<62)
	deadline := time.Now().Add(patience)
	for {
		inParts = min(inParts, cost(who, func() {
			for _, piece := range pieces {
				work(piece)
			}
		}))
		inOne = min(inOne, cost(who, func() { work(whole) }))
		switch {
		case inOne < atOnce || inOne*parts <= inParts*most:
			return
		case time.Now().After(deadline):
			t.Errorf("1 MiB takes %v, 64 KiB %v: %.0f times as long, at most %d would do", inOne, inParts/parts, float64(inOne)*parts/float64(inParts), most)
			return
		}
	}
}

// cost is the processor's time that f takes, whatever else the machine does. Of
// collecting garbage it has no part: that is paid for by others' work, too.
func cost(who int, f func()) time.Duration {
	runtime.GC()
	before := used(who)
	f()
	return used(who) - before
}

// thread asks for the calling thread's use alone (RUSAGE_THREAD of getrusage(2)).
const thread = 1

// used is how long somebody has had a processor; where that cannot be known of
// a thread, elsewhere than on Linux, the process.
func used(who int) time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(who, &u) != nil {
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			panic(err)
		}
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

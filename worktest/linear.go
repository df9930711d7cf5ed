// Package worktest bounds the work that a parser does, for tests: one that
// searches to the far end of its input again and again is quick on what tests
// usually give it, and holds a processor for seconds on what an attacker sends.
package worktest

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	small, large = 64 << 10, 1 << 20
	parts        = large / small
	// most is how many times as long as a small input a large one may take: a
	// parser that goes through it once takes 16 times as long, one that begins
	// anew at every byte 256 times. What else runs takes caches away, and with
	// them half of the speed.
	most = 40
	// atOnce is less than it takes to read a large input, however that is done,
	// and enough to say no to it. It is of a mean over so many times: the first
	// finds nothing in the caches.
	atOnce = 4 * time.Microsecond
	times  = 20
	// patience is for a machine with other things to do: until it is over, a
	// quicker run may still be seen.
	patience = 20 * time.Second
)

// Linear fails the test where work on an input of 1 MiB takes more than forty
// times as long as on one of 64 KiB. Input makes the worst input of about n
// bytes; only what the calling goroutine does counts.
//
// It fails, too, where the large input is not read at all: [Refused] is for what
// says no to its size, and Linear for what reads the smaller ones behind that.
func Linear[T string | []byte](t *testing.T, input func(n int) T, work func(T)) {
	t.Helper()
	defer alone()()
	whole := input(large)
	var pieces [parts]T // as many as make a whole, so that caches help neither
	for i := range pieces {
		pieces[i] = input(small)
	}
	inOne, inParts := time.Duration(1<<62), time.Duration(1<<62)
	deadline := time.Now().Add(patience)
	for {
		inParts = min(inParts, cost(func() {
			for _, piece := range pieces {
				work(piece)
			}
		}))
		inOne = min(inOne, cost(func() { work(whole) }))
		switch {
		case inOne < 100*atOnce && mean(work, whole) < atOnce:
			t.Error("1 MiB takes no time: it is refused, or another goroutine reads it")
			return
		case inOne*parts <= inParts*most:
			return
		case time.Now().After(deadline):
			t.Errorf("1 MiB takes %v, 64 KiB %v: %.0f times as long, at most %d would do", inOne, inParts/parts, float64(inOne)*parts/float64(inParts), most)
			return
		}
	}
}

// Refused fails the test where work on an input of 1 MiB takes as long as to go
// through it: it is to be refused for its size.
func Refused[T string | []byte](t *testing.T, input func(n int) T, work func(T)) {
	t.Helper()
	defer alone()()
	whole := input(large)
	deadline := time.Now().Add(patience)
	for {
		took := mean(work, whole)
		if took < atOnce {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("refusing 1 MiB takes %v, at most %v would do", took, atOnce)
			return
		}
	}
}

// alone gives the calling goroutine a thread of its own and has no garbage
// collected, until the function it returns is called.
func alone() (done func()) {
	runtime.LockOSThread()
	percent := debug.SetGCPercent(-1)
	return func() {
		debug.SetGCPercent(percent)
		runtime.UnlockOSThread()
	}
}

func mean[T any](work func(T), on T) time.Duration {
	return cost(func() {
		for range times {
			work(on)
		}
	}) / times
}

// cost is the processor's time that f takes, whatever else the machine does. Of
// collecting garbage it has no part: that is paid for by others' work, too.
func cost(f func()) time.Duration {
	runtime.GC()
	before := used()
	f()
	return used() - before
}

// used is how long the thread has had a processor, to the nanosecond:
// getrusage(2) counts in ticks.
func used() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

package hubtest

import (
	"bytes"
	"sync"
	"testing"
	"time"
)

// Patience is how long a test waits for what has to happen: far longer than it
// takes on a loaded machine, as only a failing test waits so long.
const Patience = time.Minute

// Within polls until the condition holds, and fails the test when it does not
// in time; what says what it waits for.
func Within(t testing.TB, what string, holds func() bool) {
	t.Helper()
	WithinLong(t, Patience, what, holds)
}

// WithinLong is Within for what takes minutes where the machine is slow, as
// compiling does.
func WithinLong(t testing.TB, long time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(long); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", long, what)
		}
	}
}

// Output collects what a program or a logger writes; also while it is read.
// The zero value is ready for use.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends, and never fails.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String is all that was written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

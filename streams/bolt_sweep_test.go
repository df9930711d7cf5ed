package streams

import (
	"context"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// TestBoltSweepGivenUp: who ends a sweep does not read what the committer is
// just writing; the race detector says so.
func TestBoltSweepGivenUp(t *testing.T) {
	b, err := OpenBolt(filepath.Join(t.TempDir(), "log"), BoltOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for range 50 {
		ctx, giveUp := context.WithCancel(t.Context())
		busy, release := make(chan struct{}), make(chan struct{})
		var jobs sync.WaitGroup
		jobs.Go(func() {
			_ = b.change(t.Context(), &boltJob{work: func(*boltTx) error {
				close(busy)
				<-release
				return nil
			}})
		})
		<-busy
		jobs.Go(func() {
			if left, err := b.sweepSome(ctx, []string{"a", "b"}); err != nil && left != nil {
				t.Errorf("%q are left beside %v", left, err)
			}
		})
		for len(b.queue) == 0 {
			runtime.Gosched()
		}
		giveUp()
		close(release)
		jobs.Wait()
	}
}

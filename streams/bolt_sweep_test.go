package streams

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
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

// TestBoltRecordsSwept: records that are over go, however many others there
// are, and are looked for without the committer, behind whom publishers wait.
func TestBoltRecordsSwept(t *testing.T) {
	b, err := OpenBolt(filepath.Join(t.TempDir(), "log"), BoltOptions{SweepEvery: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const n = 2*sweepLook + 500
	err = b.change(t.Context(), &boltJob{work: func(tx *boltTx) error {
		for i := range n {
			life := time.Hour
			if i%5 == 0 {
				life = -time.Second
			}
			if _, err := tx.swapRecord(fmt.Sprint(i), nil, []byte("x"), life, time.Now()); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.sweep(t.Context()); err != nil || b.RecordsKept() != n-n/5 {
		t.Fatalf("%d of %d records are left, %v", b.RecordsKept(), n, err)
	}
	busy, release := make(chan struct{}), make(chan struct{})
	var job sync.WaitGroup
	job.Go(func() {
		_ = b.change(t.Context(), &boltJob{work: func(*boltTx) error {
			close(busy)
			<-release
			return nil
		}})
	})
	defer job.Wait()
	defer close(release)
	<-busy
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := b.sweepBucket(ctx, bucketRecords, recordOver, b.sweepRecords); err != nil {
		t.Errorf("looking waits for the committer: %v", err)
	}
}

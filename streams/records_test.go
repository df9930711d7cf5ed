package streams_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"runnel/streams"
	"runnel/streams/streamstest"
)

// records is what every store that keeps anything has.
type records interface {
	Record(ctx context.Context, key string) ([]byte, error)
	SwapRecord(ctx context.Context, key string, old, value []byte, life time.Duration) (bool, error)
	Close() error
}

// recordStores open stores that share what they keep: two of Redis, bolt twice the same.
func recordStores(t *testing.T) map[string][2]records {
	server := streamstest.StartRedis(t)
	bolt, err := streams.OpenBolt(filepath.Join(t.TempDir(), "log"), streams.BoltOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bolt.Close() })
	return map[string][2]records{
		"redis": {openRedis(t, server), openRedis(t, server)},
		"bolt":  {bolt, bolt},
	}
}

func TestRecords(t *testing.T) {
	for name, of := range recordStores(t) {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if b, err := of[0].Record(ctx, "a"); b != nil || err != nil {
				t.Fatal(b, err)
			}
			for i, step := range []struct {
				old, value []byte
				want       bool
			}{
				{[]byte("x"), []byte("1"), false},
				{nil, []byte("1"), true},
				{nil, []byte("2"), false},
				{[]byte("x"), []byte("2"), false},
				{[]byte("1"), []byte("two\x00\xff"), true},
				{[]byte("1"), []byte("3"), false},
			} {
				if ok, err := of[i%2].SwapRecord(ctx, "a", step.old, step.value, time.Minute); ok != step.want || err != nil {
					t.Errorf("step %d: %v, %v", i, ok, err)
				}
			}
			for _, s := range of {
				if b, err := s.Record(ctx, "a"); string(b) != "two\x00\xff" || err != nil {
					t.Errorf("%q, %v", b, err)
				}
			}
			if ok, err := of[0].SwapRecord(ctx, "b", nil, []byte("brief"), 20*time.Millisecond); !ok || err != nil {
				t.Fatal(ok, err)
			}
			within(t, "the record's end", func() bool {
				b, err := of[1].Record(ctx, "b")
				return b == nil && err == nil
			})
			if ok, err := of[1].SwapRecord(ctx, "b", nil, []byte("again"), time.Minute); !ok || err != nil {
				t.Error("after its end:", ok, err)
			}
			of[0].Close()
			if _, err := of[0].Record(ctx, "a"); !errors.Is(err, streams.ErrClosed) {
				t.Error(err)
			}
			if _, err := of[0].SwapRecord(ctx, "a", nil, []byte("x"), time.Minute); !errors.Is(err, streams.ErrClosed) {
				t.Error(err)
			}
		})
	}
}

// Of those who swap the same value at once, one does.
func TestRecordsSwappedAtOnce(t *testing.T) {
	for name, of := range recordStores(t) {
		t.Run(name, func(t *testing.T) {
			var old []byte
			for round := range 5 {
				var swapped atomic.Int64
				var all sync.WaitGroup
				for i := range 16 {
					all.Go(func() {
						ok, err := of[i%2].SwapRecord(t.Context(), "a", old, []byte{byte(round), byte(i)}, time.Minute)
						if err != nil {
							t.Error(err)
						}
						if ok {
							swapped.Add(1)
						}
					})
				}
				all.Wait()
				if n := swapped.Load(); n != 1 {
					t.Fatalf("%d of 16 swapped", n)
				}
				var err error
				if old, err = of[0].Record(t.Context(), "a"); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// What bolt keeps outlives it, and goes when it has ended.
func TestBoltRecordsOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	open := func() *streams.Bolt {
		t.Helper()
		b, err := streams.OpenBolt(path, streams.BoltOptions{SweepEvery: 5 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := open()
	for _, key := range []string{"short", "long"} {
		life := map[string]time.Duration{"short": time.Millisecond, "long": time.Minute}[key]
		if ok, err := b.SwapRecord(t.Context(), key, nil, []byte(key), life); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open()
	if v, err := b.Record(t.Context(), "long"); string(v) != "long" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	within(t, "the ended one to be deleted", func() bool { return b.RecordsKept() == 1 })
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

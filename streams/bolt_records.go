package streams

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"
)

// Record and SwapRecord keep what auth.Records says, in the file: what was
// swapped is on disk.
func (b *Bolt) Record(ctx context.Context, key string) (value []byte, err error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.calls.Done()
	err = b.view(func(tx *bbolt.Tx) error {
		value = bytes.Clone(liveRecord(tx.Bucket(bucketRecords), key, time.Now()))
		return nil
	})
	return value, err
}

// SwapRecord is described at Record.
func (b *Bolt) SwapRecord(ctx context.Context, key string, old, value []byte, life time.Duration) (bool, error) {
	if err := b.begin(ctx); err != nil {
		return false, err
	}
	defer b.calls.Done()
	swapped := false
	err := b.change(ctx, &boltJob{work: func(tx *boltTx) (err error) {
		swapped, err = tx.swapRecord(key, old, value, life, time.Now())
		return err
	}})
	if err != nil { // the committer may still be at it
		return false, err
	}
	return swapped, nil
}

// A record's value has when it ends, in ms, before it.

func liveRecord(records *bbolt.Bucket, key string, now time.Time) []byte {
	b := records.Get([]byte(key))
	if len(b) <= 8 || recordOver(b, now) {
		return nil
	}
	return b[8:]
}

func recordOver(b []byte, now time.Time) bool {
	return len(b) < 8 || int64(binary.BigEndian.Uint64(b)) <= now.UnixMilli()
}

func (t *boltTx) swapRecord(key string, old, value []byte, life time.Duration, now time.Time) (bool, error) {
	if !bytes.Equal(liveRecord(t.records, key, now), old) {
		return false, nil
	}
	t.changed = true
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(value)), uint64(now.Add(life).UnixMilli()))
	return true, t.records.Put([]byte(key), append(b, value...))
}

// sweepRecords forgets those of the records that are over.
func (b *Bolt) sweepRecords(ctx context.Context, keys []string) error {
	return b.change(ctx, &boltJob{work: func(tx *boltTx) error {
		for _, key := range keys {
			if !recordOver(tx.records.Get([]byte(key)), time.Now()) {
				continue // put there meanwhile
			}
			tx.changed = true
			if err := tx.records.Delete([]byte(key)); err != nil {
				return err
			}
		}
		return nil
	}})
}

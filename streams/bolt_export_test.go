package streams

import (
	"context"

	"go.etcd.io/bbolt"
)

// RecordsKept is how many records stand in the file, also such as have ended.
func (b *Bolt) RecordsKept() (n int) {
	_ = b.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketRecords).ForEach(func(_, _ []byte) error { n++; return nil })
	})
	return n
}

// FinishBy has transactions brought to disk by that function from now on.
func (b *Bolt) FinishBy(ctx context.Context, finish func(*bbolt.Tx) error) error {
	return b.change(ctx, &boltJob{work: func(*boltTx) error { b.finish = finish; return nil }})
}

// DamageBoltForks overwrites what is kept of the channel's forks.
func DamageBoltForks(tx *bbolt.Tx, channel string) error {
	return tx.Bucket(bucketForks).Put(eventPrefix(channel), []byte("what"))
}

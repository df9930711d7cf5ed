package streams

import "go.etcd.io/bbolt"

// RecordsKept is how many records stand in the file, also such as have ended.
func (b *Bolt) RecordsKept() (n int) {
	_ = b.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketRecords).ForEach(func(_, _ []byte) error { n++; return nil })
	})
	return n
}

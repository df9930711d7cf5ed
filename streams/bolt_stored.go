package streams

import (
	"bytes"
	"context"

	"go.etcd.io/bbolt"
)

// Stored implements [Log]: the channels in the order of their names.
func (b *Bolt) Stored(ctx context.Context, l Listing) (page Stored, err error) {
	if err := b.begin(ctx); err != nil {
		return Stored{}, err
	}
	defer b.calls.Done()
	err = b.view(func(tx *bbolt.Tx) error {
		found, err := listBolt(tx.Bucket(bucketChannels).Cursor(), l)
		page = storedPage(found, l.Limit)
		return err
	})
	return page, err
}

// listBolt returns one more than the limit where there are more.
func listBolt(channels *bbolt.Cursor, l Listing) (found []StoredChannel, err error) {
	prefix := []byte(l.Prefix)
	k, v := channels.Seek([]byte(max(l.Prefix, l.After+"\x00")))
	for ; bytes.HasPrefix(k, prefix) && k != nil && len(found) <= l.Limit; k, v = channels.Next() {
		c, err := decodeBoltChannel(v)
		if err != nil {
			return found, unavailable(err)
		}
		if c.last.N == 0 {
			continue
		}
		events := 0
		if !c.empty() {
			events = int(c.last.N - c.first.N + 1)
		}
		found = append(found, StoredChannel{string(k), c.last, events})
	}
	return found, nil
}

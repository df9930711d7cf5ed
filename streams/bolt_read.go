package streams

import (
	"errors"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// errNoChannel: the channel is not in the file.
var errNoChannel = errors.New("no such channel")

// useEvery is how old the note of a channel's last use becomes before Heads
// renews it: writing it each time would make every read a write.
const useEvery = 12 * time.Hour

// view reads the file as it is on disk.
func (b *Bolt) view(read func(*bbolt.Tx) error) error {
	b.durable.RLock()
	tx, err := b.db.Begin(false)
	b.durable.RUnlock()
	if err != nil {
		return unavailable(err)
	}
	defer tx.Rollback() //nolint:errcheck // of a reading transaction
	return read(tx)
}

// readHeads returns the heads, and which channels were not used for long.
func (b *Bolt) readHeads(channels []string) (heads []Head, unused []string, err error) {
	heads = make([]Head, len(channels))
	stale := uint64(time.Now().Add(-useEvery).UnixMilli())
	err = b.view(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketChannels)
		never := unusedHead(tx.Bucket(bucketRunnel))
		for i, name := range channels {
			c, err := readChannel(bucket, name)
			switch {
			case errors.Is(err, errNoChannel):
				heads[i] = never
				continue
			case err != nil:
				return unavailable(err)
			case c.used < stale:
				unused = append(unused, name)
			}
			heads[i] = c.head()
		}
		return nil
	})
	return heads, unused, err
}

func (c *boltChannel) head() Head { return Head{Last: c.last, Base: c.base} }

func readChannel(channels *bbolt.Bucket, name string) (*boltChannel, error) {
	b := channels.Get([]byte(name))
	if b == nil {
		return nil, errNoChannel
	}
	return decodeBoltChannel(b)
}

// readPage reads a page.
func (b *Bolt) readPage(channel string, q Query) (page Page, err error) {
	err = b.view(func(tx *bbolt.Tx) error {
		c, err := readChannel(tx.Bucket(bucketChannels), channel)
		if errors.Is(err, errNoChannel) {
			page.Head = unusedHead(tx.Bucket(bucketRunnel))
			return nil
		}
		if err != nil {
			return err
		}
		page.Head = c.head()
		prefix := eventPrefix(channel)
		page.Forks = b.forksOf(tx, channel, c.last)
		r := boltReader{cursor: tx.Bucket(bucketEvents).Cursor(), prefix: prefix, q: q, page: &page}
		if q.Backward {
			return r.backward()
		}
		return r.forward()
	})
	if err != nil && !errors.Is(err, ErrUnavailable) {
		err = unavailable(err)
	}
	return page, err
}

// boltReader reads one page.
type boltReader struct {
	cursor *bbolt.Cursor
	prefix []byte
	q      Query
	page   *Page
	size   int
}

func (r *boltReader) forward() error {
	if k, _ := r.before(r.q.From); ours(k, r.prefix) {
		r.page.Below = eventID(k)
	}
	for k, v := r.cursor.Seek(eventKey(r.prefix, r.q.From)); ours(k, r.prefix); k, v = r.cursor.Next() {
		if full, err := r.add(k, v); full || err != nil {
			return err
		}
	}
	return nil
}

func (r *boltReader) backward() error {
	from := r.q.From
	if from.IsZero() {
		from = ID{^uint64(0), ^uint64(0)}
	}
	defer func() { slices.Reverse(r.page.Events) }()
	for k, v := r.before(from); ours(k, r.prefix); k, v = r.cursor.Prev() {
		if full, err := r.add(k, v); full || err != nil {
			return err
		}
	}
	return nil
}

// before moves to the last entry below the ID, perhaps of another channel.
func (r *boltReader) before(id ID) (k, v []byte) {
	if k, _ := r.cursor.Seek(eventKey(r.prefix, id)); k == nil {
		return r.cursor.Last()
	}
	return r.cursor.Prev()
}

// add adds the event to the page unless the page is full.
func (r *boltReader) add(k, v []byte) (full bool, err error) {
	e, err := decodeBoltEvent(eventID(k), v)
	if err != nil {
		return false, err
	}
	n := len(r.page.Events)
	r.size += e.Size()
	if n >= max(1, r.q.Events) || n > 0 && r.size > r.q.Bytes {
		r.page.More = true
		return true, nil
	}
	r.page.Events = append(r.page.Events, e)
	return false, nil
}

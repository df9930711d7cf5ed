package streams

import (
	"bytes"
	"time"

	"go.etcd.io/bbolt"
)

// boltTx is one transaction of the committer. Channels are read once and
// written once in it, however many jobs change them.
type boltTx struct {
	runnel, channels, events, keys, expiry, forks, records *bbolt.Bucket

	opening uint64
	open    map[string]*boltChannel
	changed bool
}

func newBoltTx(tx *bbolt.Tx, opening uint64) *boltTx {
	return &boltTx{
		runnel:   tx.Bucket(bucketRunnel),
		channels: tx.Bucket(bucketChannels),
		events:   tx.Bucket(bucketEvents),
		keys:     tx.Bucket(bucketKeys),
		expiry:   tx.Bucket(bucketExpiry),
		forks:    tx.Bucket(bucketForks),
		records:  tx.Bucket(bucketRecords),
		opening:  opening,
		open:     map[string]*boltChannel{},
	}
}

// channel returns the channel, new if need be; flush writes it back once it
// has had an event.
func (t *boltTx) channel(name string, now time.Time) (*boltChannel, error) {
	if c, ok := t.open[name]; ok {
		return c, nil
	}
	if b := t.channels.Get([]byte(name)); b != nil {
		c, err := decodeBoltChannel(b)
		if err == nil {
			t.open[name] = c
		}
		return c, err
	}
	head := unusedHead(t.runnel)
	c := &boltChannel{
		last: head.Last, base: head.Base, first: ID{head.Last.Ms, 1}, opening: t.opening, used: uint64(now.UnixMilli()),
		keep: Retention{Count: 1, Age: time.Millisecond},
	}
	t.open[name] = c
	return c, nil
}

// flush writes the channels back.
func (t *boltTx) flush() error {
	if !t.changed {
		return nil
	}
	for name, c := range t.open {
		if c.last.N == 0 {
			continue
		}
		if err := t.channels.Put([]byte(name), c.encode()); err != nil {
			return err
		}
	}
	return nil
}

// use notes that the channels are used.
func (t *boltTx) use(names []string, now time.Time) error {
	t.changed = true
	for _, name := range names {
		c, err := t.channel(name, now)
		if err != nil {
			return err
		}
		c.used = uint64(now.UnixMilli())
	}
	return nil
}

// append stores the drafts, and returns their results and what the follower is
// to hear.
func (t *boltTx) append(name string, now time.Time, keep Retention, drafts []Draft) ([]Result, []*Event, error) {
	c, err := t.channel(name, now)
	if err != nil {
		return nil, nil, err
	}
	c.used, c.keep = uint64(now.UnixMilli()), keep
	prefix := eventPrefix(name)
	results := make([]Result, len(drafts))
	news := make([]*Event, 0, len(drafts))
	for i := range drafts {
		e, err := t.take(c, prefix, &drafts[i], &results[i], now)
		if err != nil {
			return nil, nil, err
		}
		if e != nil {
			news = append(news, e)
		}
	}
	return results, news, t.trimRoughly(c, prefix, now)
}

// take makes the draft an event unless its key is known; nil if so.
func (t *boltTx) take(c *boltChannel, prefix []byte, d *Draft, r *Result, now time.Time) (*Event, error) {
	if d.Key != "" {
		known, err := t.repeated(prefix, d, r, now)
		if known || err != nil {
			return nil, err
		}
	}
	e := &Event{Type: d.Type, Data: d.Data, Text: d.Text, From: d.From, Exclude: d.Exclude}
	if !d.Ephemeral {
		if err := t.store(c, prefix, e, now); err != nil {
			return nil, err
		}
		r.ID = e.ID
	}
	if d.Key == "" {
		return e, nil
	}
	return e, t.remember(prefix, d, e.ID, now)
}

// store gives the event its ID and makes it the channel's last.
func (t *boltTx) store(c *boltChannel, prefix []byte, e *Event, now time.Time) error {
	t.changed = true
	last, anew := c.last, c.opening != t.opening
	if last.N == 0 {
		last, anew = c.base, t.opening > 1 // all that the file may not know of the channel
	}
	e.Prev, e.ID = c.last, c.next(now, t.opening)
	c.last = e.ID
	if anew {
		if err := t.fork(prefix, last, e.ID, now); err != nil {
			return err
		}
	}
	return t.events.Put(eventKey(prefix, e.ID), encodeBoltEvent(e))
}

// next is the ID of the channel's next event. The first one since the file
// was opened stands in a later millisecond than the last: that one may be
// from an older copy, which never knew the events that followed it.
func (c *boltChannel) next(now time.Time, opening uint64) ID {
	last := c.last
	if c.opening != opening {
		c.opening = opening
		last.Ms++
	}
	return last.next(now)
}

// boltTrim is how many events a transaction trims of a channel at most, so
// that a retention made much smaller does not hold up everybody.
const boltTrim = 2000

// trimRoughly trims when it is worth it: some events at a time, as each time
// costs a page at the other end of the channel.
func (t *boltTx) trimRoughly(c *boltChannel, prefix []byte, now time.Time) error {
	slack := min(c.keep.Count/8, 64)
	overdue := now.Add(-c.keep.Age).Add(-c.keep.Age / 16).UnixMilli()
	if c.over() <= slack && (c.empty() || int64(c.first.Ms) >= overdue) {
		return nil
	}
	_, err := t.trim(c, prefix, now)
	return err
}

// over is by how many events the channel exceeds its count.
func (c *boltChannel) over() int { return int(c.last.N+1-c.first.N) - max(1, c.keep.Count) }

// trim applies the channel's retention, and reports whether there is more to trim.
func (t *boltTx) trim(c *boltChannel, prefix []byte, now time.Time) (more bool, err error) {
	over, oldest := c.over(), now.Add(-c.keep.Age).UnixMilli()
	doomed := make([][]byte, 0, max(1, min(over, boltTrim)))
	c.first = ID{c.last.Ms, c.last.N + 1}
	cursor := t.events.Cursor()
	for k, _ := cursor.Seek(prefix); ours(k, prefix); k, _ = cursor.Next() {
		id := eventID(k)
		stays := over <= len(doomed) && int64(id.Ms) >= oldest
		if more = !stays && len(doomed) == boltTrim; stays || more {
			c.first = id
			break
		}
		doomed = append(doomed, k)
	}
	for _, k := range doomed {
		t.changed = true
		if err := t.events.Delete(k); err != nil {
			return false, err
		}
	}
	return more, nil
}

// ours reports whether the key is of an event of the channel of that prefix.
func ours(key, prefix []byte) bool {
	return len(key) == len(prefix)+16 && bytes.HasPrefix(key, prefix)
}

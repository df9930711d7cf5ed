package streams

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/bbolt"
)

// sweepLook is how many channels or records one reading transaction looks at, and
// sweepWork how many one writing transaction changes: neither takes long.
const (
	sweepLook = 1000
	sweepWork = 50
)

func (b *Bolt) sweepUntilStopped(ctx context.Context) {
	tick := time.NewTicker(b.sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := b.sweep(ctx); err != nil && ctx.Err() == nil {
				b.logger.Warn("old events could not be deleted", "file", b.db.Path(), "cause", err)
			}
		}
	}
}

// sweep applies age to all channels, idempotency keys and records, and forgets
// channels.
func (b *Bolt) sweep(ctx context.Context) error {
	for _, expire := range []func(*boltTx, int, time.Time) (bool, error){(*boltTx).expireKeys, (*boltTx).renewBase} {
		for more := true; more; {
			err := b.change(ctx, &boltJob{work: func(tx *boltTx) (err error) {
				more, err = expire(tx, boltTrim, time.Now())
				return err
			}})
			if err != nil {
				return err
			}
		}
	}
	if err := b.sweepBucket(ctx, bucketRecords, recordOver, b.sweepRecords); err != nil {
		return err
	}
	return b.sweepBucket(ctx, bucketChannels, channelDue, b.sweepChannels)
}

// sweepBucket looks at all entries of the bucket and has work done on those that
// are due. They are found in reading transactions, which hold up nobody.
func (b *Bolt) sweepBucket(ctx context.Context, bucket []byte, due func(value []byte, now time.Time) bool, work func(context.Context, []string) error) error {
	for after, done := "", false; !done; {
		var names []string
		var err error
		names, after, done, err = b.look(bucket, after, func(value []byte) bool { return due(value, time.Now()) })
		if err == nil && len(names) > 0 {
			err = work(ctx, names)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// look goes through some entries of the bucket, those above after, and returns
// which are due, and where to go on.
func (b *Bolt) look(bucket []byte, after string, due func(value []byte) bool) (names []string, next string, done bool, err error) {
	err = b.view(func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(bucket).Cursor()
		k, v := cursor.Seek([]byte(after + "\x00"))
		for range sweepLook {
			if k == nil {
				done = true
				return nil
			}
			next = string(k)
			if due(v) {
				names = append(names, next)
			}
			k, v = cursor.Next()
		}
		return nil
	})
	return names, next, done, err
}

// channelDue reports whether a channel has something that is too old.
func channelDue(value []byte, now time.Time) bool {
	c, err := decodeBoltChannel(value)
	return err == nil && (c.tooOld(now) || c.unused(now))
}

func (c *boltChannel) tooOld(now time.Time) bool {
	return !c.empty() && (c.over() > 0 || int64(c.first.Ms) < now.Add(-c.keep.Age).UnixMilli())
}

// unused reports whether the channel can be forgotten.
func (c *boltChannel) unused(now time.Time) bool {
	return c.empty() && int64(c.used) < now.Add(-headLife).UnixMilli()
}

func (b *Bolt) sweepChannels(ctx context.Context, due []string) (err error) {
	for len(due) > 0 && err == nil {
		due, err = b.sweepSome(ctx, due)
	}
	return err
}

// sweepSome sweeps the first of the channels and returns which are left.
func (b *Bolt) sweepSome(ctx context.Context, due []string) ([]string, error) {
	n := min(len(due), sweepWork)
	var left []string // the committer's until it has answered
	err := b.change(ctx, &boltJob{work: func(tx *boltTx) error {
		left = nil
		for _, name := range due[:n] {
			more, err := b.sweepChannel(tx, name, time.Now())
			if err != nil {
				return err
			}
			if more {
				left = append(left, name)
			}
		}
		return nil
	}})
	if err != nil {
		return nil, err
	}
	return append(left, due[n:]...), nil
}

func (b *Bolt) sweepChannel(tx *boltTx, name string, now time.Time) (more bool, err error) {
	c, err := tx.channel(name, now)
	if err != nil {
		return false, err
	}
	if c.tooOld(now) {
		return tx.trim(c, eventPrefix(name), now)
	}
	if c.unused(now) && b.follower(name) == nil {
		return false, tx.forget(name, c)
	}
	return false, nil
}

// forget takes the channel out of the file. Its IDs never come again: the base
// of channels without events stands above them.
func (t *boltTx) forget(name string, c *boltChannel) error {
	t.changed = true
	delete(t.open, name)
	if err := errors.Join(t.channels.Delete([]byte(name)), t.forks.Delete(eventPrefix(name))); err != nil {
		return err
	}
	return writeNumber(t.runnel, keyFloor, max(c.last.Ms, readNumber(t.runnel, keyFloor)))
}

// renewBase moves the base up once a day.
func (t *boltTx) renewBase(_ int, now time.Time) (more bool, err error) {
	if int64(readNumber(t.runnel, keyBase)) > now.Add(-baseEvery).UnixMilli() {
		return false, nil
	}
	t.changed = true
	return false, moveBase(t.runnel, now)
}

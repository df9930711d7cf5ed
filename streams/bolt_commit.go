package streams

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// boltJob is one caller's change to the file.
type boltJob struct {
	work func(*boltTx) error // makes the change; called again, from nothing, if another job spoiled the transaction
	tell func()              // is called once the change is on disk, nil for nothing to tell
	done chan error          // has room for the outcome: the committer never waits for a caller
}

// boltBatch is how many jobs share a transaction at most: the longest a job
// waits behind others, and what one failing job makes to be done again.
const boltBatch = 512

// errDiskFailed is why a file is not written to any more.
var errDiskFailed = errors.New("writing to the disk failed half-way; the file is to be opened anew")

// change has the committer do the job and waits for the outcome.
func (b *Bolt) change(ctx context.Context, job *boltJob) error {
	job.done = make(chan error, 1)
	select {
	case b.queue <- job:
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
	select {
	case err := <-job.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, ctx.Err())
	}
}

func (b *Bolt) commitUntilClosed() {
	for job := range b.queue {
		b.commit(b.gather(job))
	}
}

// gather adds to the job what else waits by now.
func (b *Bolt) gather(first *boltJob) []*boltJob {
	batch := []*boltJob{first}
	for len(batch) < boltBatch {
		select {
		case job, ok := <-b.queue:
			if !ok {
				return batch
			}
			batch = append(batch, job)
		default:
			return batch
		}
	}
	return batch
}

// commit makes the changes in one transaction, then tells, then answers.
func (b *Bolt) commit(batch []*boltJob) {
	outcome, culprit := b.write(batch)
	if culprit && len(batch) > 1 {
		for _, job := range batch {
			b.commit([]*boltJob{job})
		}
		return
	}
	for _, job := range batch {
		if outcome == nil && job.tell != nil {
			job.tell()
		}
		job.done <- outcome
	}
}

// write returns the outcome of a transaction of these jobs, and whether one
// of them is the culprit of its failure.
func (b *Bolt) write(batch []*boltJob) (outcome error, culprit bool) {
	if b.failed != nil {
		return unavailable(b.failed), false
	}
	tx, err := b.db.Begin(true)
	if err != nil {
		return unavailable(err), false
	}
	t := newBoltTx(tx, b.opening)
	for _, job := range batch {
		if err := job.work(t); err != nil {
			return unavailable(errors.Join(err, tx.Rollback())), true
		}
	}
	if err := t.flush(); err != nil {
		return unavailable(errors.Join(err, tx.Rollback())), true
	}
	if !t.changed {
		return errOrNil(tx.Rollback()), false
	}
	return b.sync(tx), false
}

func errOrNil(err error) error {
	if err == nil {
		return nil
	}
	return unavailable(err)
}

// sync brings the transaction to disk. Where that fails after the transaction
// took effect in the file, nobody knows what the disk will have after a crash:
// the outcome is unknown, and nothing more is built upon it.
func (b *Bolt) sync(tx *bbolt.Tx) error {
	id := tx.ID()
	b.durable.Lock()
	defer b.durable.Unlock()
	err := b.finish(tx)
	if err == nil {
		return nil
	}
	if b.lastTransaction() < id {
		return unavailable(err)
	}
	b.failed = errDiskFailed
	b.logger.Error("the log's file cannot be written to any more", "file", b.db.Path(), "cause", err)
	b.resyncAll()
	return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
}

// lastTransaction is the number of the transaction that reads see.
func (b *Bolt) lastTransaction() (id int) {
	b.db.View(func(tx *bbolt.Tx) error { //nolint:errcheck // fails only when closed, which the committer outruns
		id = tx.ID()
		return nil
	})
	return id
}

// resyncAll tells all followers that they may have missed something.
func (b *Bolt) resyncAll() {
	b.mu.Lock()
	all := make([]*boltFollower, 0, len(b.followers))
	for _, f := range b.followers {
		all = append(all, f)
	}
	b.mu.Unlock()
	for _, f := range all {
		f.Resync()
	}
}

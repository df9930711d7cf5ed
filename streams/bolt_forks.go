package streams

import (
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"
)

// A file that was opened may be an older copy of what it was: what it had not
// yet is lost, and no node was there to see it. But between the last event that
// a file has when it is opened and the next there is none, so that every ID of
// there is known to be lost. That is kept as a fork, at the first event of a
// channel since the file was opened: it costs nothing to speak of, and says
// nothing where nothing was lost.

// boltForkSize is how many bytes a fork takes in the file.
const boltForkSize = 6 * 8

// fork notes that first follows last since the file was opened, and forgets
// forks that are older than a log knows channels.
func (t *boltTx) fork(prefix []byte, last, first ID, now time.Time) error {
	forks, err := decodeBoltForks(t.forks.Get(prefix))
	if err != nil {
		forks = forgottenForks(last)
	}
	oldest := uint64(now.Add(-headLife).UnixMilli())
	for len(forks) > 0 && forks[0].First.Ms < oldest {
		forks = forks[1:]
	}
	return t.forks.Put(prefix, encodeBoltForks(addFork(forks, Fork{Last: last, First: first})))
}

// forksOf reads the forks of a channel, which ends at last. Damaged ones are
// forgotten, and mended with the next that is noted.
func (b *Bolt) forksOf(tx *bbolt.Tx, channel string, last ID) []Fork {
	forks, err := decodeBoltForks(tx.Bucket(bucketForks).Get(eventPrefix(channel)))
	if err != nil {
		forks = forgottenForks(last)
		b.damaged.Do(func() {
			b.logger.Warn("what was noted of events that this file may lack is damaged; it begins anew", "channel", channel)
		})
	}
	return forks
}

func encodeBoltForks(forks []Fork) []byte {
	b := make([]byte, 0, len(forks)*boltForkSize)
	for _, f := range forks {
		for _, id := range [...]ID{f.Last, f.First, f.Lost} {
			b = binary.BigEndian.AppendUint64(b, id.Ms)
			b = binary.BigEndian.AppendUint64(b, id.N)
		}
	}
	return b
}

func decodeBoltForks(b []byte) (forks []Fork, err error) {
	if len(b)%boltForkSize != 0 || len(b) > maxForks*boltForkSize {
		return nil, errBadEntry
	}
	at := func(i int) ID {
		return ID{binary.BigEndian.Uint64(b[16*i:]), binary.BigEndian.Uint64(b[16*i+8:])}
	}
	for ; len(b) > 0; b = b[boltForkSize:] {
		forks = append(forks, Fork{Last: at(0), First: at(1), Lost: at(2)})
	}
	return forks, nil
}

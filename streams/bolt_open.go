package streams

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// boltLockWait is how long opening waits for another process to close the
// file: long enough for the one that is being replaced to have ended.
const boltLockWait = time.Second

// What can be wrong with a file.
var (
	errBoltInUse   = errors.New("another process has it open")
	errBoltForeign = errors.New("it is not a log of this program")
	errBoltCorrupt = errors.New("it is damaged; put back a copy, or move it away to begin anew")
)

// openBoltFile opens the file for writing and counts the opening.
func openBoltFile(path string) (db *bbolt.DB, opening uint64, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("the log's file %s cannot be used: %w", path, err)
		}
	}()
	fresh, err := checkBoltFile(path)
	if err != nil {
		return nil, 0, err
	}
	db, err = bbolt.Open(path, 0o600, boltOptions(false))
	if err != nil {
		return nil, 0, namedBoltError(err)
	}
	if err = db.Update(func(tx *bbolt.Tx) (err error) {
		opening, err = prepareBolt(tx)
		return err
	}); err == nil && fresh {
		err = syncFolder(path)
	}
	if err != nil {
		return nil, 0, errors.Join(err, db.Close())
	}
	return db, opening, nil
}

// boltOptions are how the file is opened. The list of free pages is not
// written with every transaction but found anew at opening, which reads all of
// the file anyhow. The mapping is made large at once (of addresses, not of
// memory): making it larger waits for all reads.
func boltOptions(readOnly bool) *bbolt.Options {
	return &bbolt.Options{
		Timeout: boltLockWait, ReadOnly: readOnly, NoFreelistSync: true,
		FreelistType: bbolt.FreelistMapType, InitialMmapSize: 1 << 30, NoStatistics: true,
	}
}

// checkBoltFile walks through all of the file before it is opened for
// writing: bbolt takes what it maps for sound, and a damaged page, or one that is
// cut off, would end the process at some later time. It reports whether there
// is nothing to check yet.
func checkBoltFile(path string) (fresh bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w (%v)", errBoltCorrupt, cause)
		}
	}()
	db, err := bbolt.Open(path, 0o600, boltOptions(true))
	if err != nil {
		return false, namedBoltError(err)
	}
	defer db.Close() //nolint:errcheck // nothing was written
	return false, db.View(walkBolt)
}

func walkBolt(tx *bbolt.Tx) error {
	if err := checkLength(tx); err != nil {
		return err
	}
	if err := checkFormat(tx); err != nil {
		return err
	}
	return tx.ForEach(func(_ []byte, bucket *bbolt.Bucket) error {
		var last []byte
		touched := byte(0)
		err := bucket.ForEach(func(k, v []byte) error {
			if last != nil && bytes.Compare(last, k) >= 0 {
				return errBoltCorrupt
			}
			if last = k; len(v) > 0 {
				touched ^= v[0] ^ v[len(v)-1]
			}
			return nil
		})
		runtime.KeepAlive(touched)
		return err
	})
}

// checkLength finds a file whose end is missing: bbolt makes a file as long as
// all of its pages, used or not, before it says in the file how many they are.
func checkLength(tx *bbolt.Tx) error {
	info, err := os.Stat(tx.DB().Path())
	if err != nil {
		return err
	}
	if missing := tx.Size() - info.Size(); missing > 0 {
		return fmt.Errorf("%w (the last %d bytes are missing)", errBoltCorrupt, missing)
	}
	return nil
}

// checkFormat accepts a log of this format, and a file without anything in it.
func checkFormat(tx *bbolt.Tx) error {
	if first, _ := tx.Cursor().First(); first == nil {
		return nil
	}
	runnel := tx.Bucket(bucketRunnel)
	if runnel == nil {
		return errBoltForeign
	}
	if format := runnel.Get(keyFormat); !bytes.Equal(format, boltFormat) {
		return fmt.Errorf("%w: its format is %.40q", errBoltForeign, format)
	}
	return nil
}

// prepareBolt makes the buckets where they are missing and counts the opening.
func prepareBolt(tx *bbolt.Tx) (opening uint64, err error) {
	if err := checkFormat(tx); err != nil {
		return 0, err
	}
	for _, name := range [][]byte{bucketRunnel, bucketChannels, bucketEvents, bucketKeys, bucketExpiry, bucketForks, bucketRecords} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return 0, err
		}
	}
	runnel := tx.Bucket(bucketRunnel)
	opening = readNumber(runnel, keyOpening) + 1
	return opening, errors.Join(
		runnel.Put(keyFormat, boltFormat),
		writeNumber(runnel, keyOpening, opening),
		moveBase(runnel, time.Now()))
}

// moveBase moves up where channels stand that never had an event. Forgetting a
// channel makes all such positions worthless that are below its last event, a
// month old by then: those that were handed out lately have to be above. And
// what a channel gets since the file was opened stands above what an older copy
// of the file never knew.
func moveBase(runnel *bbolt.Bucket, now time.Time) error {
	base, was := uint64(now.UnixMilli()), readNumber(runnel, keyBase)
	if was == 0 {
		floor := max(readNumber(runnel, keyFloor), base-1)
		base = floor + 1
		if err := writeNumber(runnel, keyFloor, floor); err != nil {
			return err
		}
	}
	return writeNumber(runnel, keyBase, max(base, was+1))
}

func namedBoltError(err error) error {
	var system syscall.Errno
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return errBoltInUse
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch), errors.Is(err, bolterrors.ErrChecksum):
		return fmt.Errorf("%w, or damaged (%w)", errBoltForeign, err)
	case errors.As(err, &system):
		return err
	}
	return fmt.Errorf("%w (%w)", errBoltCorrupt, err)
}

// syncFolder brings the name of a new file to disk.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

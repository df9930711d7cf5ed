package streams

import (
	"encoding/binary"
	"time"
)

// repeated sets the answer that the draft's key got before, if it is known.
func (t *boltTx) repeated(prefix []byte, d *Draft, r *Result, now time.Time) (bool, error) {
	hash := hashKey(string(prefix[1:]), d.Key)
	b := t.keys.Get(hash[:])
	if b == nil {
		return false, nil
	}
	k, err := decodeBoltKey(b)
	if err != nil || int64(k.at) < now.Add(-KeyLife).UnixMilli() {
		return false, err
	}
	if k.draft != d.fingerprint() {
		r.Err = ErrKeyReused
	} else {
		r.ID = k.id
	}
	return true, nil
}

func (t *boltTx) remember(prefix []byte, d *Draft, id ID, now time.Time) error {
	t.changed = true
	hash := hashKey(string(prefix[1:]), d.Key)
	k := boltKey{draft: d.fingerprint(), id: id, at: uint64(now.UnixMilli())}
	if err := t.keys.Put(hash[:], k.encode()); err != nil {
		return err
	}
	return t.expiry.Put(append(binary.BigEndian.AppendUint64(nil, k.at), hash[:]...), nil)
}

// expireKeys forgets up to limit keys whose life is over, and reports whether
// there are more.
func (t *boltTx) expireKeys(limit int, now time.Time) (more bool, err error) {
	var doomed [][]byte
	cursor := t.expiry.Cursor()
	for k, _ := cursor.First(); k != nil && expired(k, now); k, _ = cursor.Next() {
		if more = len(doomed) == limit; more {
			break
		}
		doomed = append(doomed, k)
	}
	for _, k := range doomed {
		if err := t.expireKey(k); err != nil {
			return false, err
		}
	}
	return more, nil
}

func expired(entry []byte, now time.Time) bool {
	return len(entry) < 8 || int64(binary.BigEndian.Uint64(entry)) < now.Add(-KeyLife).UnixMilli()
}

// expireKey deletes an entry of expiry, and its key unless that was used
// again, which has an entry of its own.
func (t *boltTx) expireKey(entry []byte) error {
	t.changed = true
	if len(entry) > 8 {
		hash := entry[8:]
		k, err := decodeBoltKey(t.keys.Get(hash))
		if err == nil && k.at == binary.BigEndian.Uint64(entry) {
			if err := t.keys.Delete(hash); err != nil {
				return err
			}
		}
	}
	return t.expiry.Delete(entry)
}

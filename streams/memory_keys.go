package streams

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// memoryKeys are a channel's idempotency keys.
type memoryKeys struct {
	answers map[string]memoryKey
	order   []string // oldest first
}

type memoryKey struct {
	draft [16]byte // the draft's fingerprint
	id    ID
	at    int64 // when it was first used, in ms
}

// keySize is about what a key takes beside its own bytes: two slots and a
// memoryKey.
const keySize = 160

// fingerprint stands for what a repetition must have in common with the
// first: type, data and kind of data. The publishing connection may be another.
func (d *Draft) fingerprint() (sum [16]byte) {
	kind := d.Type
	if kind == "" {
		kind = "message"
	}
	b := make([]byte, 0, 16+len(kind)+len(d.Data))
	b = binary.AppendUvarint(b, uint64(len(kind)))
	b = append(b, kind...)
	b = append(b, flag(d.Text)|flag(d.Ephemeral)<<1)
	b = append(b, d.Data...)
	whole := sha256.Sum256(b)
	copy(sum[:], whole[:])
	return sum
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// repeated returns the answer that the draft's key got before, nil if it is
// new, or ErrKeyReused.
func (c *memoryChannel) repeated(d *Draft) (*memoryKey, error) {
	if d.Key == "" {
		return nil, nil
	}
	k, ok := c.keys.answers[d.Key]
	if !ok {
		return nil, nil
	}
	if k.draft != d.fingerprint() {
		return nil, ErrKeyReused
	}
	return &k, nil
}

func (c *memoryChannel) remember(d *Draft, id ID, now time.Time) {
	if d.Key == "" {
		return
	}
	if c.keys.answers == nil {
		c.keys.answers = map[string]memoryKey{}
	}
	c.keys.answers[d.Key] = memoryKey{draft: d.fingerprint(), id: id, at: now.UnixMilli()}
	c.keys.order = append(c.keys.order, d.Key)
	c.size += keySize + int64(len(d.Key))
}

func (c *memoryChannel) expireKeys(now time.Time) {
	oldest := now.Add(-KeyLife).UnixMilli()
	for len(c.keys.order) > 0 && c.keys.oldest() < oldest {
		c.dropKey()
	}
}

// oldest is when the oldest key was first used; there has to be one.
func (k *memoryKeys) oldest() int64 { return k.answers[k.order[0]].at }

// dropKey forgets the oldest key.
func (c *memoryChannel) dropKey() {
	key := c.keys.order[0]
	delete(c.keys.answers, key)
	c.keys.order[0] = ""
	c.size -= keySize + int64(len(key))
	if c.keys.order = c.keys.order[1:]; len(c.keys.order) == 0 {
		c.keys = memoryKeys{} // a map never shrinks
	}
}

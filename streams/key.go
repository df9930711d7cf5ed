package streams

import (
	"crypto/sha256"
	"encoding/binary"
)

// keyHash stands for a channel's idempotency key.
type keyHash [16]byte

func hashKey(channel, key string) (h keyHash) {
	sum := sha256.Sum256(append(eventPrefix(channel), key...))
	copy(h[:], sum[:])
	return h
}

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

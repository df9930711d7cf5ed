package streams

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// Cursor is the positions of a feed over several channels in one opaque
// string. It knows channels by a hash of their name, so that 32 names of any
// length fit into the 1 KiB that proxies leave a header. Channels can be added
// to the feed and dropped from it; the cursor answers for those it knows.
type Cursor struct {
	marks []mark
}

type mark struct {
	key      cursorKey
	position ID
}

// cursorKey is the beginning of a channel name's SHA-256: 48 bits are plenty
// to tell 32 names apart.
type cursorKey [6]byte

// MaxCursor is how many channels a cursor can hold.
const MaxCursor = 32

// MaxCursorLength is how many bytes a cursor takes as text: proxies cap headers.
const MaxCursorLength = 1024

const cursorVersion = 1

// ErrBadCursor is returned for text that is not a cursor.
var ErrBadCursor = errors.New("not a cursor of a feed over several channels")

func keyOf(channel string) cursorKey {
	sum := sha256.Sum256([]byte(channel))
	return cursorKey(sum[:len(cursorKey{})])
}

// ParseCursor reads what String wrote. Any other text is ErrBadCursor.
func ParseCursor(s string) (Cursor, error) {
	var c Cursor
	if len(s) > MaxCursorLength {
		return c, ErrBadCursor
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) < 2 || b[0] != cursorVersion {
		return c, ErrBadCursor
	}
	for b = b[1:]; len(b) > 0; {
		m, size := parseMark(b)
		if size == 0 || c.find(m.key) != nil || len(c.marks) == MaxCursor {
			return Cursor{}, ErrBadCursor
		}
		c.marks = append(c.marks, m)
		b = b[size:]
	}
	if c.String() != s {
		// A number can be written longer than it has to be.
		return Cursor{}, ErrBadCursor
	}
	return c, nil
}

// parseMark reads one mark and returns how many bytes it took, 0 if it is none.
func parseMark(b []byte) (m mark, size int) {
	size = copy(m.key[:], b)
	ms, n1 := binary.Uvarint(b[size:])
	if n1 <= 0 || ms > maxMs {
		return m, 0
	}
	n, n2 := binary.Uvarint(b[size+n1:])
	if n2 <= 0 || n > maxN {
		return m, 0
	}
	m.position = ID{Ms: ms, N: n}
	return m, size + n1 + n2
}

// Position returns the position in a channel, and whether the cursor has one.
func (c *Cursor) Position(channel string) (ID, bool) {
	if m := c.find(keyOf(channel)); m != nil {
		return m.position, true
	}
	return ID{}, false
}

// Set notes the position in a channel. A cursor that is full ignores new
// channels; feeds have no more than MaxCursor.
func (c *Cursor) Set(channel string, position ID) {
	key := keyOf(channel)
	if m := c.find(key); m != nil {
		m.position = position
	} else if len(c.marks) < MaxCursor {
		c.marks = append(c.marks, mark{key, position})
	}
}

func (c *Cursor) find(key cursorKey) *mark {
	for i := range c.marks {
		if c.marks[i].key == key {
			return &c.marks[i]
		}
	}
	return nil
}

// String returns the cursor as ParseCursor reads it.
func (c *Cursor) String() string { return string(c.Append(nil)) }

// Append appends the cursor to dst as ParseCursor reads it.
func (c *Cursor) Append(dst []byte) []byte {
	const markSize = len(cursorKey{}) + 2*binary.MaxVarintLen64
	b := make([]byte, 1, 1+MaxCursor*markSize)
	b[0] = cursorVersion
	for _, m := range c.marks {
		b = append(b, m.key[:]...)
		b = binary.AppendUvarint(b, m.position.Ms)
		b = binary.AppendUvarint(b, m.position.N)
	}
	return base64.RawURLEncoding.AppendEncode(dst, b)
}

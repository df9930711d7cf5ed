package streams

import (
	"encoding/binary"
	"errors"
	"time"

	"go.etcd.io/bbolt"
)

// The file has seven buckets:
//
//	runnel    what there is once: "format", "opening" (how many times the
//	          file was opened), "base" (ms of the position where channels
//	          stand that never had an event), "floor" (the highest ms of a
//	          forgotten channel, at first of before the file was made: such
//	          positions above it are good)
//	channels  name → boltChannel
//	events    length of the name, name, ms, n → event
//	keys      hash of channel and idempotency key → boltKey
//	expiry    time of first use in ms, the same hash → nothing
//	forks     length of the name, name → forks, oldest first
//	records   key → time of its end in ms, value
//
// Numbers are big-endian, so that keys sort by them. The events of all
// channels share one tree: a channel's are next to each other in it, so that a
// page is one seek and a run, trimming gives back whole pages, and a channel
// with three events takes no page of its own, as it would in its own bucket.
var (
	bucketRunnel   = []byte("runnel")
	bucketChannels = []byte("channels")
	bucketEvents   = []byte("events")
	bucketKeys     = []byte("keys")
	bucketExpiry   = []byte("expiry")
	bucketForks    = []byte("forks")
	bucketRecords  = []byte("records")

	keyFormat  = []byte("format")
	keyOpening = []byte("opening")
	keyFloor   = []byte("floor")
	keyBase    = []byte("base")

	boltFormat = []byte("runnel log 1")
)

// maxBoltName is how long a name can be whose length is kept in a byte.
const maxBoltName = 255

// readNumber reads what there is once, 0 if it is not there.
func readNumber(runnel *bbolt.Bucket, key []byte) uint64 {
	if b := runnel.Get(key); len(b) == 8 {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func writeNumber(runnel *bbolt.Bucket, key []byte, n uint64) error {
	return runnel.Put(key, binary.BigEndian.AppendUint64(nil, n))
}

// unusedHead is the head of all channels that never had an event.
func unusedHead(runnel *bbolt.Bucket) Head {
	lowest := readNumber(runnel, keyFloor) + 1
	return Head{Last: ID{Ms: max(lowest, readNumber(runnel, keyBase))}, Base: ID{Ms: lowest}}
}

var errBadEntry = errors.New("an entry of the file cannot be read")

// eventPrefix is what the keys of all the channel's events begin with, with
// room for the rest.
func eventPrefix(channel string) []byte {
	k := make([]byte, 0, 1+len(channel)+16)
	k = append(k, byte(len(channel)))
	return append(k, channel...)
}

// eventKey appends the ID to a channel's prefix, without changing it.
func eventKey(prefix []byte, id ID) []byte {
	k := append(make([]byte, 0, len(prefix)+16), prefix...)
	k = binary.BigEndian.AppendUint64(k, id.Ms)
	return binary.BigEndian.AppendUint64(k, id.N)
}

// eventID reads the ID from an event's key.
func eventID(key []byte) ID {
	id := key[len(key)-16:]
	return ID{Ms: binary.BigEndian.Uint64(id), N: binary.BigEndian.Uint64(id[8:])}
}

// encodeBoltEvent writes all of the event but its ID: flags, milliseconds since
// the one before, type, from, exclude (each with its length), data.
func encodeBoltEvent(e *Event) []byte {
	b := make([]byte, 0, 16+len(e.Type)+len(e.From)+len(e.Exclude)+len(e.Data))
	b = append(b, flag(e.Text))
	b = binary.AppendUvarint(b, e.ID.Ms-e.Prev.Ms)
	for _, s := range []string{e.Type, e.From, e.Exclude} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return append(b, e.Data...)
}

// decodeBoltEvent reads an event; it shares no memory with b.
func decodeBoltEvent(id ID, b []byte) (*Event, error) {
	if len(b) == 0 || b[0] > 1 || id.N == 0 {
		return nil, errBadEntry
	}
	since, n := binary.Uvarint(b[1:])
	if n <= 0 || since > id.Ms {
		return nil, errBadEntry
	}
	e := &Event{ID: id, Prev: ID{Ms: id.Ms - since, N: id.N - 1}, Text: b[0] == 1}
	b = b[1+n:]
	for _, s := range []*string{&e.Type, &e.From, &e.Exclude} {
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return nil, errBadEntry
		}
		*s, b = string(b[n:n+int(length)]), b[n+int(length):]
	}
	e.Data = append(make([]byte, 0, len(b)), b...)
	return e, nil
}

// boltChannel is what is kept of a channel beside its events.
type boltChannel struct {
	last, base ID
	first      ID // the oldest retained event's, beyond last when there is none
	opening    uint64
	used       uint64 // when it was last used, in ms; may be hours behind
	keep       Retention
}

const boltChannelSize = 9 * 8

func (c *boltChannel) encode() []byte {
	b := make([]byte, 0, boltChannelSize)
	for _, v := range []uint64{
		c.last.Ms, c.last.N, c.base.Ms, c.first.Ms, c.first.N, c.opening, c.used,
		uint64(c.keep.Count), uint64(c.keep.Age),
	} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

func decodeBoltChannel(b []byte) (*boltChannel, error) {
	if len(b) != boltChannelSize {
		return nil, errBadEntry
	}
	at := func(i int) uint64 { return binary.BigEndian.Uint64(b[8*i:]) }
	return &boltChannel{
		last: ID{at(0), at(1)}, base: ID{Ms: at(2)}, first: ID{at(3), at(4)}, opening: at(5), used: at(6),
		keep: Retention{Count: int(at(7)), Age: time.Duration(at(8))},
	}, nil
}

func (c *boltChannel) empty() bool { return c.first.N > c.last.N }

// boltKey is the answer that an idempotency key got.
type boltKey struct {
	draft [16]byte // the draft's fingerprint
	id    ID
	at    uint64 // when it was first used, in ms
}

func (k *boltKey) encode() []byte {
	b := append(make([]byte, 0, 40), k.draft[:]...)
	for _, v := range []uint64{k.id.Ms, k.id.N, k.at} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

func decodeBoltKey(b []byte) (k boltKey, err error) {
	if len(b) != 40 {
		return k, errBadEntry
	}
	at := func(i int) uint64 { return binary.BigEndian.Uint64(b[8*i:]) }
	copy(k.draft[:], b)
	k.id, k.at = ID{at(2), at(3)}, at(4)
	return k, nil
}

package streams

import (
	"cmp"
	"errors"
	"strconv"
	"strings"
	"time"
)

// ID is an event's place in its channel, written "<ms>-<n>": the log's clock
// in milliseconds when it appended, and the channel's running number from 1.
// It is a valid Redis Stream ID. N 0 is a base, the position before a
// channel's first event. The zero ID stands for "none" and is never handed out.
type ID struct {
	Ms, N uint64
}

// ErrBadID is returned for text that is not an ID.
var ErrBadID = errors.New(`an event ID looks like "1732137600000-42"`)

// maxMs is the last millisecond that RFC 3339 can write (end of the year
// 9999); a position's time has to survive the way into an envelope.
const maxMs = 253402300799999

// maxN leaves room above the highest number, so that adding to or subtracting
// from one never wraps and every number fits a signed 64-bit integer.
const maxN = 1<<62 - 1

// ParseID reads the canonical form: two decimal numbers without sign or
// leading zeros, within range. "0-0" is read as the zero ID.
func ParseID(s string) (ID, error) {
	ms, n, ok := strings.Cut(s, "-")
	if !ok {
		return ID{}, ErrBadID
	}
	a, okA := parseNumber(ms, maxMs)
	b, okB := parseNumber(n, maxN)
	if !okA || !okB {
		return ID{}, ErrBadID
	}
	return ID{Ms: a, N: b}, nil
}

func parseNumber(s string, limit uint64) (uint64, bool) {
	if s == "" || len(s) > 1 && s[0] == '0' || s[0] == '+' {
		return 0, false
	}
	v, err := strconv.ParseUint(s, 10, 64)
	return v, err == nil && v <= limit
}

// String returns the canonical form.
func (id ID) String() string { return string(id.Append(nil)) }

// Append appends the canonical form to b.
func (id ID) Append(b []byte) []byte {
	b = strconv.AppendUint(b, id.Ms, 10)
	b = append(b, '-')
	return strconv.AppendUint(b, id.N, 10)
}

// Compare orders IDs as Redis does: by time, then by number.
func (id ID) Compare(other ID) int {
	if c := cmp.Compare(id.Ms, other.Ms); c != 0 {
		return c
	}
	return cmp.Compare(id.N, other.N)
}

// Less reports whether id stands before other.
func (id ID) Less(other ID) bool { return id.Compare(other) < 0 }

// IsZero reports whether id is no ID at all.
func (id ID) IsZero() bool { return id == ID{} }

// Time is when the log appended the event, by the log's clock.
func (id ID) Time() time.Time { return time.UnixMilli(int64(id.Ms)).UTC() }

// next is the ID that follows last at the log's time now: the clock of a
// channel never goes back, and the number goes up by one.
func (id ID) next(now time.Time) ID {
	return ID{Ms: max(id.Ms, uint64(now.UnixMilli())), N: id.N + 1}
}

// baseAt is the position before the first event of a numbering begun at now.
func baseAt(now time.Time) ID { return ID{Ms: uint64(now.UnixMilli())} }

package streams

import (
	"cmp"
	"fmt"
	"math/big"
	"regexp"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// anyID draws IDs, many of them near the bounds and near each other.
func anyID() *rapid.Generator[ID] {
	return rapid.Custom(func(t *rapid.T) ID {
		return ID{
			Ms: rapid.OneOf(rapid.Uint64Range(0, 3), rapid.Uint64Range(0, maxMs), rapid.Uint64Range(maxMs-3, maxMs)).Draw(t, "ms"),
			N:  rapid.OneOf(rapid.Uint64Range(0, 3), rapid.Uint64Range(0, maxN), rapid.Uint64Range(maxN-3, maxN)).Draw(t, "n"),
		}
	})
}

func TestIDRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := anyID().Draw(t, "id")
		s := id.String()
		if want := fmt.Sprintf("%d-%d", id.Ms, id.N); s != want || string(id.Append([]byte("at "))) != "at "+want {
			t.Fatalf("%q, want %q", s, want)
		}
		if again, err := ParseID(s); err != nil || again != id {
			t.Fatalf("%q is read as %v, %v", s, again, err)
		}
	})
}

// TestIDOrder: by time, then by number, as the decimal digits padded to one
// length compare.
func TestIDOrder(t *testing.T) {
	padded := func(id ID) string { return fmt.Sprintf("%020d-%020d", id.Ms, id.N) }
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyID().Draw(t, "a"), anyID().Draw(t, "b")
		want := cmp.Compare(padded(a), padded(b))
		if a.Compare(b) != want || b.Compare(a) != -want || a.Less(b) != (want < 0) || a.IsZero() != (a.String() == "0-0") {
			t.Fatalf("%v and %v: %d, want %d", a, b, a.Compare(b), want)
		}
	})
}

// TestIDNext: numbers are dense, and a clock that goes back does not take the
// IDs with it.
func TestIDNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.UnixMilli(rapid.Int64Range(0, maxMs).Draw(t, "now"))
		id := baseAt(now)
		if id.N != 0 || !id.Time().Equal(now) {
			t.Fatalf("the base at %v is %v", now, id)
		}
		for range 5 {
			now = now.Add(time.Duration(rapid.Int64Range(-5, 5).Draw(t, "passed")) * time.Millisecond)
			next := id.next(time.UnixMilli(max(0, now.UnixMilli())))
			if next.N != id.N+1 || next.Ms < id.Ms || !id.Less(next) {
				t.Fatalf("%v after %v", next, id)
			}
			id = next
		}
	})
}

var idForm = regexp.MustCompile(`^(0|[1-9][0-9]*)-(0|[1-9][0-9]*)$`)

// independentID reads an ID with a regular expression and arithmetic that
// cannot overflow.
func independentID(s string) (ms, n *big.Int, ok bool) {
	parts := idForm.FindStringSubmatch(s)
	if parts == nil {
		return nil, nil, false
	}
	ms, _ = new(big.Int).SetString(parts[1], 10)
	n, _ = new(big.Int).SetString(parts[2], 10)
	endOf9999 := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() - 1
	largest := new(big.Int).Lsh(big.NewInt(1), 62)
	return ms, n, ms.Cmp(big.NewInt(endOf9999)) <= 0 && n.Cmp(largest) < 0
}

func FuzzParseID(f *testing.F) {
	for _, s := range []string{
		"1732137600000-42", "0-0", "0-1", "253402300799999-4611686018427387903", "253402300800000-1", "1-4611686018427387904",
		"", "-", "1-", "-1", "1", "01-1", "1-01", "+1-1", "1-+1", "1--1", "1-1-1", " 1-1", "1-1 ", "1_0-1", "0x1-1", "1-١",
		"18446744073709551616-1", "99999999999999999999999-1", "1-1\n", "$", "earliest",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		ms, n, ok := independentID(s)
		if ok != (err == nil) {
			t.Fatalf("%q: %v, %v", s, id, err)
		}
		if !ok {
			if id != (ID{}) {
				t.Fatalf("%q is wrong and %v", s, id)
			}
			return
		}
		if !ms.IsUint64() || ms.Uint64() != id.Ms || n.Uint64() != id.N || id.String() != s {
			t.Fatalf("%q is read as %v", s, id)
		}
	})
}

package streams

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCursorRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,8}(:[0-9]{1,4})?`), 1, MaxCursor, rapid.ID[string]).Draw(t, "channels")
		var c Cursor
		want := map[string]ID{}
		for range 2 { // the second time positions move on
			for _, name := range names {
				want[name] = anyID().Draw(t, "position")
				c.Set(name, want[name])
			}
		}
		s := c.String()
		again, err := ParseCursor(s)
		if err != nil || again.String() != s {
			t.Fatalf("%q is read as %+v, %v", s, again, err)
		}
		for name, position := range want {
			if got, ok := again.Position(name); !ok || got != position {
				t.Fatalf("%s: %v, %v, want %v", name, got, ok, position)
			}
		}
		if p, ok := again.Position("another:channel:yet"); ok {
			t.Fatalf("an unknown channel is at %v", p)
		}
	})
}

func fullCursor() (c Cursor, names []string) {
	for i := range MaxCursor {
		name := fmt.Sprint(i)
		name = strings.Repeat("x", MaxChannelName-len(name)) + name
		names = append(names, name)
		c.Set(name, ID{Ms: maxMs - uint64(i), N: maxN - uint64(i)})
	}
	return c, names
}

// TestCursorFits: the longest names and the largest IDs stay within what
// proxies leave a header.
func TestCursorFits(t *testing.T) {
	c, names := fullCursor()
	s := c.String()
	if len(s) > 1024 {
		t.Fatalf("%d bytes", len(s))
	}
	if strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		t.Fatalf("%q cannot stand in a URL as it is", s)
	}
	c.Set("one more", ID{Ms: 1, N: 1})
	if _, ok := c.Position("one more"); ok || c.String() != s {
		t.Fatal("a full cursor took another channel")
	}
	again, err := ParseCursor(s)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		if p, ok := again.Position(name); !ok || p != (ID{Ms: maxMs - uint64(i), N: maxN - uint64(i)}) {
			t.Fatalf("%d: %v, %v", i, p, ok)
		}
	}
}

// cursorText is a cursor of marks that are written by hand.
func cursorText(version byte, marks ...[]byte) string {
	b := []byte{version}
	for _, m := range marks {
		b = append(b, m...)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func markOf(key string, ms, n uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint([]byte(key), ms), n)
}

func TestCursorRefused(t *testing.T) {
	good := cursorText(cursorVersion, markOf("abcdef", 5, 3), markOf("ghijkl", 7, 0))
	if _, err := ParseCursor(good); err != nil {
		t.Fatal(err)
	}
	full, _ := fullCursor()
	for name, s := range map[string]string{
		"empty":                "",
		"version alone":        cursorText(cursorVersion),
		"another version":      cursorText(cursorVersion+1, markOf("abcdef", 5, 3)),
		"an ID":                "1732137600000-42",
		"padded":               good + "=",
		"a line break":         good[:8] + "\n" + good[8:],
		"another alphabet":     strings.NewReplacer("-", "+", "_", "/").Replace(cursorText(cursorVersion, markOf("\xff\xef\xbe\xfb\xff\xff", 5, 3))),
		"not UTF-8":            good + "\xff",
		"bits left over":       good[:len(good)-1] + "B",
		"a channel twice":      cursorText(cursorVersion, markOf("abcdef", 5, 3), markOf("abcdef", 5, 4)),
		"time out of range":    cursorText(cursorVersion, markOf("abcdef", maxMs+1, 3)),
		"number out of range":  cursorText(cursorVersion, markOf("abcdef", 5, maxN+1)),
		"more than 64 bits":    cursorText(cursorVersion, []byte("abcdef\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01")),
		"longer than need be":  cursorText(cursorVersion, []byte("abcdef\x85\x00\x03")),
		"too many channels":    cursorText(cursorVersion, append([]byte(nil), decoded(t, full.String())[1:]...), markOf("abcdef", 5, 3)),
		"one byte too many":    cursorText(cursorVersion, markOf("abcdef", 5, 3), []byte("g")),
		"longer than a header": strings.Repeat("A", MaxCursorLength+1),
	} {
		if c, err := ParseCursor(s); err != ErrBadCursor || len(c.marks) > 0 {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	whole := decoded(t, good)
	for n := range whole {
		if n == len(whole)-8 {
			continue // a cursor of the first channel alone
		}
		if _, err := ParseCursor(base64.RawURLEncoding.EncodeToString(whole[:n])); err != ErrBadCursor {
			t.Errorf("cut off after %d of %d bytes: %v", n, len(whole), err)
		}
	}
}

func decoded(t *testing.T, s string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// independentCursor reads a cursor from its encoding's definition.
func independentCursor(s string) (map[string]ID, bool) {
	if len(s) > 1024 || strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || base64.RawURLEncoding.EncodeToString(b) != s || len(b) < 9 || b[0] != 1 {
		return nil, false
	}
	marks := map[string]ID{}
	for b = b[1:]; len(b) > 0; {
		if len(b) < 8 {
			return nil, false
		}
		key := string(b[:6])
		b = b[6:]
		var numbers [2]uint64
		for i := range numbers {
			v, size := binary.Uvarint(b)
			if size <= 0 || len(binary.AppendUvarint(nil, v)) != size {
				return nil, false
			}
			numbers[i], b = v, b[size:]
		}
		if _, twice := marks[key]; twice || numbers[0] > maxMs || numbers[1] > maxN {
			return nil, false
		}
		marks[key] = ID{Ms: numbers[0], N: numbers[1]}
	}
	if len(marks) > 32 {
		return nil, false
	}
	return marks, true
}

func FuzzParseCursor(f *testing.F) {
	full, _ := fullCursor()
	for _, s := range []string{
		"", "AQ", full.String(), "1732137600000-42", cursorText(1, markOf("abcdef", 5, 3)),
		cursorText(1, []byte("abcdef\x85\x00\x03")), cursorText(2, markOf("abcdef", 5, 3)),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCursor(s)
		want, ok := independentCursor(s)
		if ok != (err == nil) || len(c.marks) != len(want) {
			t.Fatalf("%q: %+v, %v; %v", s, c, err, want)
		}
		for _, m := range c.marks {
			if p, ok := want[string(m.key[:])]; !ok || p != m.position {
				t.Fatalf("%q: %v, want %v", s, m.position, p)
			}
		}
		if ok && c.String() != s {
			t.Fatalf("%q is written %q", s, c.String())
		}
	})
}

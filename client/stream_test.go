package client

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

// readAll reads a stream to its end.
func readAll(r io.Reader, limit int) (all []message, err error) {
	s := newStream(r, limit)
	for {
		m, err := s.next()
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
}

// byTheBook is what the standard says of a whole stream, said another way than
// by the reader: lines first, then blocks.
func byTheBook(text string) (all []message) {
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	lines := strings.Split(text, "\n")
	var m message
	var data []string
	for _, line := range lines[:len(lines)-1] {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			m.kind = value
		case "data":
			data = append(data, value)
		case "id":
			m.id = value
		case "retry":
			if value == "17" {
				m.retry = 17 * time.Millisecond
			}
		}
		if line != "" {
			continue
		}
		if m.hasData = data != nil; m.hasData || m.retry > 0 {
			m.data = []byte(strings.Join(data, "\n"))
			all = append(all, m)
		}
		m, data = message{}, nil
	}
	return all
}

func same(a, b []message) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i].data, b[i].data) || a[i].kind != b[i].kind || a[i].id != b[i].id || a[i].retry != b[i].retry || a[i].hasData != b[i].hasData {
			return false
		}
	}
	return true
}

// Whatever the stream, wherever it is cut and however it arrives: what comes
// out is every block that ended, and nothing of one that did not.
func TestStreamGivesWholeBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.SampledFrom([]string{
			"data: x", "data:y", "data", "id: 1-1", "event: note", "retry: 17", "retry: x", ": remark", "other: 1",
			"\n", "\n\n", "\r", "\r\n", "\r\n\r\n", "data: " + strings.Repeat("z", 5000),
		})).Draw(t, "stream")
		text := rapid.SampledFrom([]string{"", "\ufeff"}).Draw(t, "mark") + strings.Join(pieces, "")
		text = text[:rapid.IntRange(0, len(text)).Draw(t, "cut")]
		var r io.Reader = strings.NewReader(text)
		if rapid.Bool().Draw(t, "bytewise") {
			r = iotest.OneByteReader(r)
		}
		got, err := readAll(io.MultiReader(r, iotest.ErrReader(io.ErrUnexpectedEOF)), 1<<20)
		if err != io.ErrUnexpectedEOF || !same(got, byTheBook(text)) {
			t.Fatalf("%q became %+v, %v; want %+v", text, got, err, byTheBook(text))
		}
	})
}

func FuzzStream(f *testing.F) {
	f.Add([]byte("data: a\nid: 1-1\n\ndata: b"))
	f.Add([]byte("data: a\r\n\r\ndata: b\r\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		slow, slowErr := readAll(iotest.OneByteReader(bytes.NewReader(text)), 64)
		quick, quickErr := readAll(bytes.NewReader(text), 64)
		if !same(slow, quick) || !errors.Is(slowErr, quickErr) {
			t.Fatalf("%q: bytewise %+v, %v; at once %+v, %v", text, slow, slowErr, quick, quickErr)
		}
	})
}

// A block takes no more memory than it may have, in one line or in many, with
// an end or without.
func TestStreamBlockTooLarge(t *testing.T) {
	for name, text := range map[string]string{
		"a line":                "data: " + strings.Repeat("x", 200) + "\n\n",
		"a line without an end": "data: " + strings.Repeat("x", 1<<20),
		"many lines":            strings.Repeat("data: x\n", 100) + "\n",
	} {
		if got, err := readAll(strings.NewReader("data: before\n\n"+text), 100); !errors.Is(err, ErrTooLarge) || len(got) != 1 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

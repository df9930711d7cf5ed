package client

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

// wholeBlocks is the rule, said another way than by the reader.
func wholeBlocks(s string) string {
	end := 0
	for i := range s {
		head := s[:i+1]
		if strings.HasSuffix(head, "\n\n") || strings.HasSuffix(head, "\r\r") || strings.HasSuffix(head, "\n\r\n") {
			end = i + 1
		}
	}
	return s[:end]
}

// forwards reports whether got is all whole blocks of stream. Blank lines
// beyond the one that ends a block may stay behind with the next.
func forwards(got, stream string) bool {
	rest, ok := strings.CutPrefix(wholeBlocks(stream), got)
	return ok && strings.Trim(rest, "\r\n") == ""
}

func throughFilter(r io.Reader) ([]byte, error) {
	dog := newWatchdog(time.Hour, func(error) {})
	b := &blockReader{body: io.NopCloser(r), dog: dog, max: 1 << 20}
	defer b.Close()
	return io.ReadAll(b)
}

// Whatever the stream, wherever it is cut and however it arrives: what comes
// out is all of it up to the last blank line.
func TestFilterForwardsWholeBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.SampledFrom([]string{"data: x", "id: 1-1", "\n", "\n\n", "\r", "\r\n", "\r\n\r\n", strings.Repeat("y", 5000)})).Draw(t, "stream")
		stream := strings.Join(pieces, "")
		if len(stream) > 0 {
			stream = stream[:rapid.IntRange(0, len(stream)).Draw(t, "cut")]
		}
		var r io.Reader = strings.NewReader(stream)
		if rapid.Bool().Draw(t, "bytewise") {
			r = iotest.OneByteReader(r)
		}
		got, err := throughFilter(io.MultiReader(r, iotest.ErrReader(io.ErrUnexpectedEOF)))
		if err != io.ErrUnexpectedEOF || !forwards(string(got), stream) {
			t.Fatalf("%q became %q, %v", stream, got, err)
		}
	})
}

func FuzzFilter(f *testing.F) {
	f.Add([]byte("data: a\nid: 1-1\n\ndata: b"))
	f.Add([]byte("data: a\r\n\r\ndata: b\r\r\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		got, err := throughFilter(bytes.NewReader(stream))
		if err != nil || !forwards(string(got), string(stream)) {
			t.Fatalf("%q became %q, %v", stream, got, err)
		}
	})
}

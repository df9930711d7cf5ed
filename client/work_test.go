package client

import (
	"io"
	"strings"
	"testing"

	"runnel/worktest"
)

// TestWork: a long line that came in small pieces was moved for each of them.
func TestWork(t *testing.T) {
	for name, piece := range map[string]string{
		"one block":   "data: x\n",
		"blocks":      "data: x\n\n",
		"CR":          "data: x\r",
		"CRLF blocks": "data: x\r\n\r\n",
		"blank lines": "\n",
		"a line":      "x",
	} {
		t.Run(name, func(t *testing.T) {
			input := func(n int) string { return strings.Repeat(piece, n/len(piece)) + "\n\n" }
			worktest.Linear(t, input, func(s string) { readAll(inPieces{strings.NewReader(s)}, 2<<20) })
		})
	}
}

// inPieces reads few bytes at a time.
type inPieces struct{ io.Reader }

func (r inPieces) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), 32)]) }

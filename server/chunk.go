package server

import (
	"bytes"
	"slices"
	"strconv"
)

// Chunks (RFC 9112 section 7.1) are how a feed's body tells HTTP/1.1 where it
// ends. Each block is one of its own: it is made once for all, and what stands
// for itself on the wire is either finished or never begun.

// lastChunk says that a body is complete. One without it was cut, and a client
// that can tell the two apart comes again after a cut alone.
const lastChunk = "0\r\n\r\n"

// appendedChunk makes one chunk of what b holds from there on.
func appendedChunk(b []byte, from int) []byte {
	var digits [16]byte
	size := strconv.AppendInt(digits[:0], int64(len(b)-from), 16)
	b = slices.Insert(b, from, append(size, '\r', '\n')...)
	return append(b, '\r', '\n')
}

// chunkContent is what a whole chunk holds.
func chunkContent(chunk []byte) []byte {
	return chunk[bytes.IndexByte(chunk, '\n')+1 : len(chunk)-2]
}

package client

import (
	"bytes"
	"io"
	"slices"
)

// lineReader reads the lines of an event stream, which end in LF, CR or CR LF.
type lineReader struct {
	from  io.Reader
	max   int    // bytes that a line may have
	space []byte // holds buf
	buf   []byte // what was read and not returned
	seen  int    // buf[:seen] is known to have no end of a line
	cr    bool   // the last line ended in CR, so that a LF right after it is no line
}

// readSize is what one read of the body asks for.
const readSize = 4 << 10

// next returns the next line without its end, good until the next call. What
// stands before an error without an end is no line.
func (l *lineReader) next() ([]byte, error) {
	for {
		if l.cr && len(l.buf) > 0 {
			l.buf, l.cr = bytes.TrimPrefix(l.buf, []byte("\n")), false
		}
		if i := bytes.IndexAny(l.buf[l.seen:], "\r\n"); i >= 0 {
			end := l.seen + i
			line := l.buf[:end]
			l.cr = l.buf[end] == '\r'
			l.buf, l.seen = l.buf[end+1:], 0
			return line, nil
		}
		if l.seen = len(l.buf); l.seen > l.max {
			return nil, errTooLarge
		}
		if err := l.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads once, behind what is left, which moves only where there is no room
// and then makes as much again: a long line is not moved for each of its pieces.
// An error that comes with bytes comes again without.
func (l *lineReader) fill() error {
	if left := len(l.buf); cap(l.buf)-left < readSize {
		l.space = append(slices.Grow(l.space[:0], 2*(left+readSize)), l.buf...)
		l.buf = l.space
	}
	n, err := l.from.Read(l.buf[len(l.buf) : len(l.buf)+readSize])
	l.buf = l.buf[:len(l.buf)+n]
	if n > 0 {
		return nil
	}
	return err
}

package client

import (
	"bytes"
	"io"
	"strconv"
	"time"
)

// stream reads an event stream (HTML, section 9.2.6), message by message. What
// a cut left of a block is dropped with it.
type stream struct {
	lines lineReader
	begun bool
	size  int // of the block so far
	block message
}

// message is a block of an event stream.
type message struct {
	kind  string // "" for message
	data  []byte
	id    string        // "" where the block has none
	retry time.Duration // 0 where the block has none

	hasData bool
}

// newStream reads from r blocks of at most limit bytes.
func newStream(r io.Reader, limit int) *stream {
	return &stream{lines: lineReader{from: r, max: limit}}
}

// next returns the next block that says anything, or why there is none: io.EOF
// where the answer is complete, io.ErrUnexpectedEOF where it was cut, as far as
// the transport can tell.
func (s *stream) next() (message, error) {
	for {
		line, err := s.line()
		if err != nil {
			return message{}, err
		}
		if len(line) > 0 {
			s.field(line)
			continue
		}
		m := s.block
		s.block, s.size = message{}, 0
		if m.hasData || m.retry > 0 {
			return m, nil
		}
	}
}

func (s *stream) line() ([]byte, error) {
	line, err := s.lines.next()
	if err != nil {
		return nil, err
	}
	if !s.begun {
		line, s.begun = bytes.TrimPrefix(line, []byte("\ufeff")), true
	}
	if s.size += len(line); s.size > s.lines.max {
		return nil, errTooLarge
	}
	return line, nil
}

// field takes one line of the block; a comment begins with a colon and so has
// a name that is none.
func (s *stream) field(line []byte) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	m := &s.block
	switch string(name) {
	case "event":
		m.kind = string(value)
	case "data":
		if m.hasData {
			m.data = append(m.data, '\n')
		}
		m.data, m.hasData = append(m.data, value...), true
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			m.id = string(value)
		}
	case "retry":
		if ms, err := strconv.ParseUint(string(value), 10, 31); err == nil {
			m.retry = time.Duration(ms) * time.Millisecond
		}
	}
}

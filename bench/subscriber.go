//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// subscriber is one connection that carries events, and its check of them.
type subscriber struct {
	crowd    *crowd
	fd       int
	stage    stage
	request  []byte   // what it says once connected
	carry    []byte   // what the last read left of a block or frame
	first    int      // the source of next[0]
	next     []uint32 // the number to come next, by source
	reader   int      // which tally counts it
	receive  int      // bytes of receive buffer (0: as the system does)
	position string   // the last id: of an SSE feed, where the crowd wants it
}

// stage is how far a subscriber has come.
type stage byte

const (
	connecting stage = iota
	greeting         // the request is on its way, the answer not all here
	open
	closed
)

// wire takes apart what a transport brings.
type wire interface {
	// greeted reports whether an answer's head opens the feed.
	greeted(head []byte) bool

	// parse counts the events in b and returns how many bytes it is done
	// with; the rest comes again, with more behind it.
	parse(s *subscriber, b []byte) (int, error)
}

const (
	// carryLimit is far above any event here: more is a stream gone wrong.
	carryLimit = 1 << 20
	headLimit  = 16 << 10
)

var errCut = errors.New("closed by the hub")

func (s *subscriber) ready(events uint32) {
	if s.stage == connecting {
		s.greet()
		return
	}
	if err := s.read(); err != nil {
		s.end(err)
	}
}

// greet sends the request on the new connection.
func (s *subscriber) greet() {
	err := failure(s.fd)
	if err == nil {
		var n int
		if n, err = unix.Write(s.fd, s.request); err == nil && n < len(s.request) {
			err = io.ErrShortWrite
		}
	}
	if err == nil {
		s.stage = greeting
		err = s.crowd.loop.watch(s.fd, unix.EPOLLIN)
	}
	if err != nil {
		s.end(err)
	}
}

// read takes what the socket has, as far as one read goes; epoll tells again
// if there is more.
func (s *subscriber) read() error {
	l := s.crowd.loop
	kept := copy(l.buf, s.carry)
	n, err := read(s.fd, l.buf[kept:])
	switch {
	case err == unix.EAGAIN:
		return nil
	case err != nil:
		return err
	case n == 0:
		return errCut
	}
	s.crowd.read = l.now()
	s.crowd.reads++
	b := l.buf[:kept+n]
	if s.stage == greeting {
		if b, err = s.answer(b); err != nil {
			return err
		}
	}
	if s.stage == open {
		used, err := s.crowd.wire.parse(s, b)
		if err != nil {
			return err
		}
		b = b[used:]
	}
	if len(b) > carryLimit {
		return fmt.Errorf("%d bytes without an end of event", len(b))
	}
	s.carry = append(s.carry[:0], b...)
	return nil
}

// answer reads the answer's head and returns what follows it.
func (s *subscriber) answer(b []byte) ([]byte, error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > headLimit {
			return nil, errors.New("an answer's head without end")
		}
		return b, nil
	}
	if !s.crowd.wire.greeted(b[:end]) {
		return nil, fmt.Errorf("refused: %.200q", b)
	}
	s.stage = open
	s.request = nil
	s.crowd.opened++
	s.crowd.start(s.crowd.atATime)
	return b[end+4:], nil
}

// scan counts the events in one block or frame.
func (s *subscriber) scan(b []byte) {
	for {
		m, rest, ok := nextMark(b)
		if !ok {
			return
		}
		s.take(m)
		b = rest
	}
}

// take checks one event against those before it.
func (s *subscriber) take(m mark) {
	t := &s.crowd.tallies[s.reader]
	i := m.source - s.first
	if i < 0 || i >= len(s.next) {
		t.Stray++
		return
	}
	switch want := s.next[i]; {
	case m.number < want:
		t.Again++
		return
	case m.number > want:
		t.Lost += int64(m.number - want)
	}
	s.next[i] = m.number + 1
	t.Deliveries++
	s.crowd.latency[s.reader].record(s.crowd.read - m.sent)
	if s.crowd.delivered != nil {
		s.crowd.delivered(m)
	}
}

// end closes the connection, once.
func (s *subscriber) end(err error) {
	if s.stage == closed {
		return
	}
	c, was := s.crowd, s.stage
	s.stage = closed
	c.loop.drop(s.fd)
	switch {
	case err == nil:
	case was == open:
		c.tallies[s.reader].Cut++
		c.note(err)
	default:
		c.failed++
		c.note(err)
		c.start(c.atATime)
	}
}

// tally is what the subscribers of one kind saw.
type tally struct {
	Deliveries int64 `json:"deliveries"`
	Lost       int64 `json:"lost"`  // never came
	Again      int64 `json:"again"` // came twice, or behind a later one
	Stray      int64 `json:"stray"` // of a channel that was not subscribed to
	Cut        int64 `json:"cut"`   // connections that the hub closed
}

// faults counts what should not be.
func (t *tally) faults() int64 { return t.Lost + t.Again + t.Stray + t.Cut }

func (t *tally) add(u *tally) {
	t.Deliveries += u.Deliveries
	t.Lost += u.Lost
	t.Again += u.Again
	t.Stray += u.Stray
	t.Cut += u.Cut
}

// millis is a duration as the tables have it.
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// micros is a duration as the tables have it.
func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

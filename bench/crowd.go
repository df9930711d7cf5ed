//go:build linux

package main

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// crowd is the subscribers of a run. close closes them all.
type crowd struct {
	loop    *loop
	hub     *hub
	wire    wire
	readers []*subscriber
	tallies [2]tally      // by readerAsUsual and slowReader
	latency [2]histogram  // likewise
	read    time.Duration // when the bytes now being parsed were read

	// delivered, if not nil, is told of every event that came in order.
	delivered func(mark)

	atATime               int
	begun, opened, failed int
	reads                 int64 // that found something
	cause                 error // of the first failure
}

// place says where the crowd's subscribers stand.
type place struct {
	transport   string // "sse" or "ws"
	deflate     bool
	subscribers int
	channels    int // subscriber i reads channel i mod channels
	publishers  int // sources of a single channel; of several, each channel is one
	slow        int // the first so many can be told to stop reading
	receive     int // bytes of receive buffer of those (0: as the system does)

	// after are the channels' positions to resume from, nil for live, and
	// from the numbers of the first events that come then (0: 1).
	after []string
	from  uint32
}

func channelName(i int) string { return fmt.Sprintf("bench:%d", i) }

// newCrowd makes the subscribers; connect connects them.
func newCrowd(l *loop, h *hub, p place) *crowd {
	c := &crowd{loop: l, hub: h, wire: newWire(p.transport, p.deflate)}
	for i := range p.subscribers {
		channel := i % p.channels
		s := &subscriber{crowd: c, fd: -1, stage: closed}
		if p.channels > 1 {
			s.first, s.next = channel, make([]uint32, 1)
		} else {
			s.next = make([]uint32, p.publishers)
		}
		for n := range s.next {
			s.next[n] = max(p.from, 1)
		}
		after := ""
		if p.after != nil {
			after = p.after[channel]
		}
		s.request = h.subscribe(p.transport, channelName(channel), i, after, p.deflate)
		if i < p.slow {
			s.reader, s.receive = slowReader, p.receive
		}
		c.readers = append(c.readers, s)
	}
	return c
}

// The indexes of a crowd's tallies.
const (
	readerAsUsual = iota
	slowReader
)

// connect connects everybody, at most so many at a time, and returns when
// their feeds are open.
func (c *crowd) connect(atATime int, timeout time.Duration) error {
	c.start(atATime)
	_, err := c.loop.run(c.loop.now()+timeout, func() bool { return c.opened+c.failed == len(c.readers) })
	switch {
	case err != nil:
		return err
	case c.failed > 0:
		return fmt.Errorf("%d of %d connections failed: %w", c.failed, len(c.readers), c.cause)
	case c.opened < len(c.readers):
		return fmt.Errorf("%d of %d feeds open after %v", c.opened, len(c.readers), timeout)
	}
	return nil
}

// start begins to connect, so many at a time; each that opens or fails makes
// room for the next.
func (c *crowd) start(atATime int) {
	c.atATime = atATime
	for c.begun < len(c.readers) && c.begun-c.opened-c.failed < c.atATime {
		s := c.readers[c.begun]
		if err := s.connect(c.begun); err != nil {
			c.failed++
			c.note(err)
		}
		c.begun++
	}
}

func (s *subscriber) connect(number int) (err error) {
	if s.fd, err = dial(s.crowd.hub.address, number, s.receive); err != nil {
		return err
	}
	s.stage = connecting
	return s.crowd.loop.add(s.fd, unix.EPOLLOUT, s)
}

// pause has the slow readers stop reading, or go on.
func (c *crowd) pause(stop bool) error {
	events := uint32(unix.EPOLLIN)
	if stop {
		events = 0
	}
	for _, s := range c.readers {
		if s.reader == slowReader && s.stage == open {
			if err := c.loop.watch(s.fd, events); err != nil {
				return err
			}
		}
	}
	return nil
}

// settled waits until every subscriber has all events up to published, by
// source, and counts as lost what does not come in time.
func (c *crowd) settled(published []uint32, timeout time.Duration) error {
	_, err := c.loop.run(c.loop.now()+timeout, func() bool {
		for _, s := range c.readers {
			if s.stage == open && s.missing(published) > 0 {
				return false
			}
		}
		return true
	})
	for _, s := range c.readers {
		c.tallies[s.reader].Lost += s.missing(published)
	}
	return err
}

func (s *subscriber) missing(published []uint32) (n int64) {
	for i, next := range s.next {
		if last := published[s.first+i]; last >= next {
			n += int64(last - next + 1)
		}
	}
	return n
}

// note keeps the cause of the first failure.
func (c *crowd) note(err error) {
	if c.cause == nil && !errors.Is(err, errCut) {
		c.cause = err
	}
}

// checked sums up what all subscribers saw.
func (c *crowd) checked() tally {
	var t tally
	for i := range c.tallies {
		t.add(&c.tallies[i])
	}
	return t
}

func (c *crowd) close() {
	for _, s := range c.readers {
		s.end(nil)
	}
}

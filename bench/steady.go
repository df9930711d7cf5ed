//go:build linux

package main

import "time"

// steady publishes events of one source at a rate, on one connection.
type steady struct {
	*run
	every time.Duration
	size  int
	data  []byte
	buf   []byte
	due   time.Duration
}

func (r *run) steady(rate, size int) *steady {
	return &steady{run: r, every: time.Second / time.Duration(rate), size: size, due: r.loop.now()}
}

// publish publishes for that long.
func (s *steady) publish(d time.Duration) error {
	p := s.publishers[0]
	until := s.loop.now() + d
	waited := false
	for s.loop.now() < until {
		wake := until
		if !p.busy {
			wake = min(until, s.due)
		}
		if err := s.loop.poll(wake); err != nil {
			return err
		}
		if p.err != nil {
			return s.failed()
		}
		now := s.loop.now()
		if now < s.due {
			continue
		}
		if p.busy {
			waited = true // the hub is late: the event's time is when it was due
			continue
		}
		s.send(p, now, waited)
		waited = false
	}
	return nil
}

func (s *steady) send(p *publisher, now time.Duration, waited bool) {
	if waited {
		now = s.due
	}
	s.due += s.every
	s.data = appendEvent(s.data[:0], mark{0, s.number(0), now}, s.size)
	s.buf = s.hub.appendPublish(s.buf[:0], channelName(0), s.data)
	p.send(s.buf)
}

//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// pipe is a connection that publishes without waiting for each answer: as many
// events as its window holds are under way at once.
type pipe struct {
	loop    *loop
	fd      int
	dialect dialect
	window  int
	request []byte // opens it; nil once sent
	open    bool

	out, in []byte
	events  []byte          // not yet in out
	under   []time.Duration // when each that is under way was sent, in order
	latency histogram       // from sending to answer

	// fill, if not nil, is called when there is room in the window.
	fill func()

	err error // ends it; a run with one is void
}

// dialect is how a pipe speaks to the hub.
type dialect interface {
	// request is what opens the pipe.
	request(h *hub) []byte
	// greeted reports whether that was granted.
	greeted(head []byte) bool
	// event appends what publishes an event.
	event(b []byte, channel string, data []byte) []byte
	// seal appends events as one write has them.
	seal(b, events []byte) []byte
	// answers takes the whole answers that b begins with: how many say that an
	// event was published, and how many bytes they are.
	answers(b []byte) (published, used int, err error)
}

func newPipe(l *loop, h *hub, d dialect, window int) (*pipe, error) {
	fd, err := dial(h.address, 0, 0)
	if err != nil {
		return nil, err
	}
	p := &pipe{loop: l, fd: fd, dialect: d, window: window, request: d.request(h)}
	if err := l.addFirst(fd, unix.EPOLLOUT, p); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return p, nil
}

// room reports whether another event may be sent.
func (p *pipe) room() bool { return p.open && len(p.under) < p.window }

// send takes an event; flush writes what was taken.
func (p *pipe) send(channel string, data []byte) {
	p.under = append(p.under, p.loop.now())
	p.events = p.dialect.event(p.events, channel, data)
}

func (p *pipe) flush() {
	if len(p.events) > 0 {
		waits := len(p.out) > 0
		p.out = p.dialect.seal(p.out, p.events)
		p.events = p.events[:0]
		if !waits {
			p.write()
		}
	}
}

func (p *pipe) write() {
	n, err := unix.Write(p.fd, p.out)
	if err != nil && err != unix.EAGAIN {
		p.end(err)
		return
	}
	p.out = append(p.out[:0], p.out[max(n, 0):]...)
	events := uint32(unix.EPOLLIN)
	if len(p.out) > 0 {
		events |= unix.EPOLLOUT
	}
	if err := p.loop.watch(p.fd, events); err != nil {
		p.end(err)
	}
}

func (p *pipe) ready(events uint32) {
	if events&unix.EPOLLOUT != 0 {
		if err := failure(p.fd); err != nil {
			p.end(err)
			return
		}
		p.out, p.request = append(p.out, p.request...), nil
		p.write()
		return
	}
	n, err := read(p.fd, p.loop.buf)
	switch {
	case err == unix.EAGAIN:
	case err != nil:
		p.end(err)
	case n == 0:
		p.end(errCut)
	default:
		p.in = append(p.in, p.loop.buf[:n]...)
		p.answered()
	}
}

// answered takes what has come.
func (p *pipe) answered() {
	if !p.open {
		end := bytes.Index(p.in, []byte("\r\n\r\n"))
		if end < 0 {
			return
		}
		if !p.dialect.greeted(p.in[:end]) {
			p.end(fmt.Errorf("%w: %.200q", errAnswer, p.in[:end]))
			return
		}
		p.in, p.open = append(p.in[:0], p.in[end+4:]...), true
	}
	published, used, err := p.dialect.answers(p.in)
	if err == nil && published > len(p.under) {
		err = errors.New("more answers than events")
	}
	if err != nil {
		p.end(err)
		return
	}
	p.in = append(p.in[:0], p.in[used:]...)
	for _, sent := range p.under[:published] {
		p.latency.record(p.loop.now() - sent)
	}
	p.under = append(p.under[:0], p.under[published:]...)
	if p.fill != nil && published > 0 {
		p.fill()
	}
}

// end closes the connection for good.
func (p *pipe) end(err error) {
	if p.err == nil {
		p.loop.drop(p.fd)
		p.err, p.open = err, false
	}
}

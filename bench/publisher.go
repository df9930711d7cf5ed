//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// publisher is one kept-alive connection that publishes, one request at a
// time: what comes behind it on the same connection keeps its order.
type publisher struct {
	loop *loop
	fd   int
	busy bool
	out  []byte // what the socket has not taken yet
	in   []byte
	buf  []byte // for requests

	requests int64
	latency  histogram     // from request to answer
	began    time.Duration // the request that runs

	// done, if not nil, is called when an answer is here, busy false again.
	done func()

	err error // ends it; a run with one is void
}

func newPublisher(l *loop, h *hub) (*publisher, error) {
	fd, err := dial(h.address, 0, 0)
	if err != nil {
		return nil, err
	}
	p := &publisher{loop: l, fd: fd, busy: true}
	if err := l.addFirst(fd, unix.EPOLLOUT, p); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return p, nil
}

// send sends a request; the publisher must not be busy.
func (p *publisher) send(request []byte) {
	p.busy, p.began = true, p.loop.now()
	p.out = request
	p.write()
}

func (p *publisher) write() {
	n, err := unix.Write(p.fd, p.out)
	if err == unix.EAGAIN {
		n, err = 0, nil
	}
	if err != nil {
		p.end(err)
		return
	}
	if p.out = p.out[n:]; len(p.out) > 0 {
		p.fail(p.loop.watch(p.fd, unix.EPOLLIN|unix.EPOLLOUT))
	}
}

func (p *publisher) ready(events uint32) {
	if events&unix.EPOLLOUT != 0 {
		p.writable()
		return
	}
	n, err := read(p.fd, p.loop.buf)
	switch {
	case err == unix.EAGAIN:
		return
	case err != nil:
		p.end(err)
		return
	case n == 0:
		p.end(errCut)
		return
	}
	p.in = append(p.in, p.loop.buf[:n]...)
	p.answer()
}

// writable means connected, or room for the rest of a request.
func (p *publisher) writable() {
	if err := failure(p.fd); err != nil {
		p.end(err)
		return
	}
	if len(p.out) > 0 {
		p.write()
	} else if p.requests == 0 && p.began == 0 {
		p.busy = false
	}
	if len(p.out) == 0 {
		p.fail(p.loop.watch(p.fd, unix.EPOLLIN))
	}
}

func (p *publisher) answer() {
	size, err := answered(p.in)
	switch {
	case err != nil:
		p.end(err)
		return
	case size == 0:
		return
	}
	p.in = append(p.in[:0], p.in[size:]...)
	p.latency.record(p.loop.now() - p.began)
	p.requests++
	p.busy = false
	if p.done != nil {
		p.done()
	}
}

var errAnswer = errors.New("no HTTP answer")

// answered returns the size of the HTTP answer that b begins with, 0 as long
// as it is not all there, and an error when it does not say success, also
// where it is a batch's and one item failed.
func answered(b []byte) (int, error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	head := string(b[:end])
	version, rest, _ := strings.Cut(head, " ")
	if !strings.HasPrefix(version, "HTTP/1.") || len(rest) < 3 {
		return 0, fmt.Errorf("%w: %.100q", errAnswer, head)
	}
	size, err := bodySize(head, b[end+4:])
	if err != nil || size < 0 {
		return 0, err
	}
	body := b[end+4 : end+4+size]
	if rest[0] != '2' || bytes.Contains(body, []byte(`"error"`)) {
		return 0, fmt.Errorf("publishing failed: %.30s %.200s", rest, body)
	}
	return end + 4 + size, nil
}

// bodySize returns the size of the body, with its chunks, or -1 as long as it
// is not all there.
func bodySize(head string, rest []byte) (int, error) {
	size := 0
	for line := range strings.SplitSeq(head, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-length":
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 {
				return 0, fmt.Errorf("%w: %s", errAnswer, line)
			}
			size = n
		case "transfer-encoding":
			return chunkedSize(rest), nil
		}
	}
	if len(rest) < size {
		return -1, nil
	}
	return size, nil
}

// chunkedSize returns the size of a chunked body without trailers, or -1.
func chunkedSize(rest []byte) int {
	const last = "0\r\n\r\n"
	if bytes.HasPrefix(rest, []byte(last)) {
		return len(last)
	}
	if at := bytes.Index(rest, []byte("\r\n"+last)); at >= 0 {
		return at + 2 + len(last)
	}
	return -1
}

func (p *publisher) fail(err error) {
	if err != nil {
		p.end(err)
	}
}

// end closes the connection for good.
func (p *publisher) end(err error) {
	if p.err == nil && p.fd >= 0 {
		p.loop.drop(p.fd)
		p.err, p.fd, p.busy = err, -1, true
	}
}

func (p *publisher) close() { p.end(errors.New("the run is over")) }

package server

import (
	"context"
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// poller tells descriptors when they can be read or written (epoll(7)), so that
// an idle connection needs no goroutine: its stack would be half of what the
// connection takes.
//
// It is edge-triggered: who is told reads, or writes, until nothing goes any
// more, and a connection costs one call to watch and none to watch on.
type poller struct {
	epoll int
	pipe  [2]int // written to when run shall end

	mu      sync.Mutex
	closed  bool // its file descriptors may be others by now
	next    uint32
	watched []*descriptor // by file descriptor, as many as may be open
}

// newPoller returns nil where the system has no epoll to give; connections then
// have a goroutine each.
func newPoller() *poller {
	p := &poller{}
	var err error
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil
	}
	if err = unix.Pipe2(p.pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		unix.Close(p.epoll)
		return nil
	}
	_ = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, p.pipe[0], &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(p.pipe[0])})
	return p
}

const (
	ends      = unix.EPOLLHUP | unix.EPOLLERR
	readEnds  = unix.EPOLLIN | unix.EPOLLRDHUP | ends
	writeEnds = unix.EPOLLOUT | ends
)

// add begins to watch for what the peer sends.
func (p *poller) add(d *descriptor) error {
	p.mu.Lock()
	p.next++
	d.number = p.next
	for len(p.watched) <= d.fd {
		p.watched = append(p.watched, nil)
	}
	p.watched[d.fd] = d
	p.mu.Unlock()
	err := p.control(unix.EPOLL_CTL_ADD, d, unix.EPOLLIN|unix.EPOLLRDHUP)
	if err != nil {
		p.forget(d)
	}
	return err
}

// rearm watches for room to write as well, and tells at once if there is some.
func (p *poller) rearm(d *descriptor) error {
	return p.control(unix.EPOLL_CTL_MOD, d, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLOUT)
}

func (p *poller) control(op int, d *descriptor, events uint32) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	return unix.EpollCtl(p.epoll, op, d.fd, &unix.EpollEvent{
		Events: events | unix.EPOLLET, Fd: int32(d.fd), Pad: int32(d.number),
	})
}

// forget drops a descriptor; it is about to be closed.
func (p *poller) forget(d *descriptor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watched[d.fd] = nil
}

// find returns nil for a descriptor that was closed since the event.
func (p *poller) find(e *unix.EpollEvent) *descriptor {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.watched[e.Fd]; d != nil && int32(d.number) == e.Pad {
		return d
	}
	return nil
}

// run tells of events until ctx ends. Only a fault of the system or of this
// program is an error.
func (p *poller) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _, _ = unix.Write(p.pipe[1], []byte{0}) })
	defer p.close()
	defer stop()
	events := make([]unix.EpollEvent, 256)
	for {
		n, err := unix.EpollWait(p.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return err
		}
		for i := range max(n, 0) {
			e := &events[i]
			if int(e.Fd) == p.pipe[0] {
				return nil
			}
			if d := p.find(e); d != nil {
				d.ready(e.Events&readEnds != 0, e.Events&writeEnds != 0)
			}
		}
	}
}

func (p *poller) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	unix.Close(p.epoll)
	unix.Close(p.pipe[0])
	unix.Close(p.pipe[1])
}

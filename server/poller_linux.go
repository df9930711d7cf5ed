package server

import (
	"context"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// poller watches the sockets of peers that have nothing to say, so that an
// idle connection needs no goroutine that waits to read: its stack would be
// half of what the connection takes.
//
// A socket is watched for one event at a time (EPOLLONESHOT): whoever is told
// of it reads until there is nothing more and then calls again.
type poller struct {
	epoll int
	pipe  [2]int // written to when run shall end

	mu      sync.Mutex
	next    uint64
	watched map[uint64]func() // by number, for the kernel's numbers are used again
}

// newPoller returns nil where the system has no epoll to give; connections then
// have a goroutine each.
func newPoller() *poller {
	p := &poller{watched: map[uint64]func(){}}
	var err error
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil
	}
	if err = unix.Pipe2(p.pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		unix.Close(p.epoll)
		return nil
	}
	_ = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, p.pipe[0], &unix.EpollEvent{Events: unix.EPOLLIN})
	return p
}

// watch is a socket that a poller knows.
type watch struct {
	poller *poller
	raw    syscall.RawConn
	number uint64
	added  bool
}

// add makes the poller know a socket. readable is called in the poller's own
// goroutine and must not wait.
func (p *poller) add(raw syscall.RawConn, readable func()) *watch {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++ // from 1: 0 is the pipe
	p.watched[p.next] = readable
	return &watch{poller: p, raw: raw, number: p.next}
}

// again waits for the socket's next event. It is for one goroutine at a time.
// An error means that the socket is closed.
func (w *watch) again() error {
	op := unix.EPOLL_CTL_MOD
	if !w.added {
		op, w.added = unix.EPOLL_CTL_ADD, true
	}
	event := unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT,
		Fd:     int32(w.number), Pad: int32(w.number >> 32),
	}
	var failed error
	err := w.raw.Control(func(fd uintptr) {
		failed = unix.EpollCtl(w.poller.epoll, op, int(fd), &event)
	})
	if err != nil {
		return err
	}
	return failed
}

// forget drops the socket; it is about to be closed.
func (w *watch) forget() {
	w.poller.mu.Lock()
	defer w.poller.mu.Unlock()
	delete(w.poller.watched, w.number)
}

func (p *poller) readable(number uint64) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.watched[number]
}

// run tells of events until ctx ends.
func (p *poller) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { _, _ = unix.Write(p.pipe[1], []byte{0}) })
	defer p.close()
	defer stop()
	events := make([]unix.EpollEvent, 256)
	for {
		n, err := unix.EpollWait(p.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return
		}
		for _, e := range events[:max(n, 0)] {
			number := uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32
			if number == 0 {
				return
			}
			if readable := p.readable(number); readable != nil {
				readable()
			}
		}
	}
}

func (p *poller) close() {
	unix.Close(p.epoll)
	unix.Close(p.pipe[0])
	unix.Close(p.pipe[1])
}

// readNow reads what is there without waiting. It returns EAGAIN when that is
// nothing, and 0 without an error at the end.
func readNow(raw syscall.RawConn, b []byte) (n int, err error) {
	failed := raw.Read(func(fd uintptr) bool {
		for {
			if n, err = syscall.Read(int(fd), b); err != syscall.EINTR {
				return true
			}
		}
	})
	if failed != nil {
		err = failed
	}
	return max(n, 0), err
}

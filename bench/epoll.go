//go:build linux

package main

import (
	"context"
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// handler is told that its socket is ready.
type handler interface {
	ready(events uint32)
}

// loop is an epoll and all sockets on it. One thread runs it, so nothing of
// the client needs a lock. close gives up what it holds; the sockets belong
// to those that added them.
type loop struct {
	ctx    context.Context // its end ends every wait
	epoll  int
	first  int // an epoll within epoll: see addFirst
	timer  int // timerfd: epoll's own time-out counts in milliseconds
	armed  time.Duration
	begin  time.Time
	events []unix.EpollEvent
	slots  []slot // by file descriptor
	buf    []byte // every socket is read into this one
}

// slot tells a file descriptor's user from the one before it, whose events
// may stand in the same batch.
type slot struct {
	handler handler
	age     int32
	epoll   int
}

const (
	readBuffer    = 256 << 10
	eventsAtATime = 512
	// firstEvery is after how many sockets those come again that go first.
	firstEvery = 16
	// interruptible is how long a wait may take to notice its context's end.
	interruptible = 200 * time.Millisecond
)

func newLoop(ctx context.Context) (*loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	first, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		unix.Close(epoll)
		return nil, fmt.Errorf("epoll: %w", err)
	}
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		unix.Close(first)
		unix.Close(epoll)
		return nil, fmt.Errorf("timerfd: %w", err)
	}
	l := &loop{
		ctx: ctx, epoll: epoll, first: first, timer: timer, begin: time.Now(),
		events: make([]unix.EpollEvent, eventsAtATime), buf: make([]byte, readBuffer),
	}
	for _, fd := range []int{first, timer} {
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
			l.close()
			return nil, fmt.Errorf("epoll: %w", err)
		}
	}
	return l, nil
}

func (l *loop) close() {
	unix.Close(l.timer)
	unix.Close(l.first)
	unix.Close(l.epoll)
}

// now is CLOCK_MONOTONIC since the loop began, without a system call.
func (l *loop) now() time.Duration { return time.Since(l.begin) }

// add has h told of the events of fd.
func (l *loop) add(fd int, events uint32, h handler) error {
	return l.addTo(l.epoll, fd, events, h)
}

// addFirst is add for a socket that does not wait until thousands of others
// were read: a publisher elsewhere would not wait for subscribers either.
func (l *loop) addFirst(fd int, events uint32, h handler) error {
	return l.addTo(l.first, fd, events, h)
}

func (l *loop) addTo(epoll, fd int, events uint32, h handler) error {
	for fd >= len(l.slots) {
		l.slots = append(l.slots, make([]slot, 1024)...)
	}
	s := &l.slots[fd]
	s.handler, s.epoll = h, epoll
	s.age++
	return l.control(unix.EPOLL_CTL_ADD, fd, events)
}

// watch changes the events of fd.
func (l *loop) watch(fd int, events uint32) error {
	return l.control(unix.EPOLL_CTL_MOD, fd, events)
}

func (l *loop) control(what, fd int, events uint32) error {
	event := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: l.slots[fd].age}
	return unix.EpollCtl(l.slots[fd].epoll, what, fd, &event)
}

// drop closes fd and forgets it.
func (l *loop) drop(fd int) {
	l.slots[fd].handler = nil
	unix.Close(fd)
}

// run serves the sockets until done says so (nil: never), and reports whether
// it did before the time was over.
func (l *loop) run(until time.Duration, done func() bool) (bool, error) {
	for {
		if done != nil && done() {
			return true, nil
		}
		if l.now() >= until {
			return false, nil
		}
		if err := l.poll(until); err != nil {
			return false, err
		}
	}
}

// poll serves what is ready, once; nothing is ready: it waits until then.
func (l *loop) poll(until time.Duration) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	n, err := unix.EpollWait(l.epoll, l.events, l.arm(until))
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("epoll: %w", err)
	}
	for i := range max(n, 0) {
		if i%firstEvery == 0 {
			l.serveFirst()
		}
		switch e := &l.events[i]; int(e.Fd) {
		case l.timer:
			l.disarm()
		case l.first:
		default:
			l.serve(e)
		}
	}
	return nil
}

// serveFirst serves what is ready of the sockets that go first.
func (l *loop) serveFirst() {
	var events [firstEvery]unix.EpollEvent
	n, _ := unix.EpollWait(l.first, events[:], 0)
	for i := range max(n, 0) {
		l.serve(&events[i])
	}
}

func (l *loop) serve(e *unix.EpollEvent) {
	if s := l.slots[e.Fd]; s.handler != nil && s.age == e.Pad {
		s.handler.ready(e.Events)
	}
}

// arm sets the timer and returns epoll's time-out.
func (l *loop) arm(until time.Duration) int {
	now := l.now()
	if until <= now {
		return 0
	}
	until = min(until, now+interruptible)
	if l.armed > now && l.armed <= until {
		return -1 // it wakes early enough, and is armed anew then
	}
	l.armed = until
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(until - now))}
	if err := unix.TimerfdSettime(l.timer, 0, &spec, nil); err != nil {
		return 1
	}
	return -1
}

func (l *loop) disarm() {
	var count [8]byte
	unix.Read(l.timer, count[:])
	l.armed = 0
}

// read is read(2) on a socket that does not block, past Go's scheduler, which
// need not hear of a call this short.
func read(fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

package server

import (
	"io"
	"net"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// descriptor is a TCP connection that the hub has taken from Go's runtime: the
// runtime's own connection would take a third of an idle feed's memory, and a
// goroutine to wait in. It is read and written without waiting, and its poller
// tells when that goes on.
type descriptor struct {
	mu     sync.Mutex // held while fd is used, so that it stays this connection's
	fd     int        // -1 once closed
	poller *poller
	number uint32  // tells it from earlier ones with the same file descriptor
	source *source // who has its place; nil where there are none

	reader reader     // to be told of what the peer sends, nil while it reads
	unread bool       // something came while nobody was to be told
	full   *feed      // waits to write
	woken  *sync.Cond // of a Read that waits, nil without
}

// takeDescriptor makes the connection the hub's. When it reports false, the
// system had no room for that, and conn is as it was.
func takeDescriptor(conn net.Conn, p *poller) (*descriptor, bool) {
	tcp := tcpConn(conn)
	if tcp == nil || p == nil {
		return nil, false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, false
	}
	d := &descriptor{poller: p}
	failed := raw.Control(func(fd uintptr) {
		d.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	})
	if failed != nil || err != nil {
		return nil, false
	}
	if p.add(d) != nil {
		unix.Close(d.fd)
		return nil, false
	}
	boundUnsent(uintptr(d.fd))
	if v, ok := conn.(*visitor); ok {
		d.source = v.handOver()
	}
	tcp.Close()
	return d, true
}

// tcpConn is conn as a TCP connection, nil when it is another.
func tcpConn(conn net.Conn) *net.TCPConn {
	switch c := conn.(type) {
	case *visitor:
		return c.TCPConn
	case *net.TCPConn:
		return c
	}
	return nil
}

// maxUnsent is about how many bytes wait in the kernel until the peer's window
// opens: one delivery. What follows waits in the log, where a slow peer costs
// nothing; left alone, the kernel would take up to 4 MiB for each. What is on
// its way does not count, so a long way is as fast as ever (tcp(7)).
const maxUnsent = maxWrite

func boundUnsent(fd uintptr) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent) // without it a queue is longer
}

// fetch brings what the others need into the processor's cache.
func (d *descriptor) fetch() int { return int(d.number) }

// tryWrite implements [outlet].
func (d *descriptor) tryWrite(b []byte) (written int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fd < 0 {
		return 0, net.ErrClosed
	}
	for written < len(b) {
		n, err := sendNow(d.fd, b[written:])
		switch err {
		case 0:
			written += n
		case unix.EINTR:
		case unix.EAGAIN:
			return written, nil
		default:
			return written, err
		}
	}
	return written, nil
}

// sendNow is send(2) past Go's scheduler, which need not hear of a call that
// does not wait.
func sendNow(fd int, b []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	return int(n), err
}

// awaitWritable has the feed resume once the peer has taken something.
func (d *descriptor) awaitWritable(f *feed) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fd < 0 {
		return net.ErrClosed
	}
	d.full = f
	return d.poller.rearm(d)
}

// readNow reads what is there: EAGAIN when that is nothing, [io.EOF] at the
// end.
func (d *descriptor) readNow(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.readLocked(b)
}

func (d *descriptor) readLocked(b []byte) (n int, err error) {
	if d.fd < 0 {
		return 0, net.ErrClosed
	}
	for {
		n, err = syscall.Read(d.fd, b)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Read waits for the peer, as a [net.Conn]'s does, until close.
func (d *descriptor) Read(b []byte) (n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		if n, err = d.readLocked(b); err != syscall.EAGAIN {
			return n, err
		}
		if d.woken == nil {
			d.woken = sync.NewCond(&d.mu)
		}
		d.woken.Wait()
	}
}

// listen has r told once of what the peer sends next. It reports false when
// something came since it was last told: then r reads on instead.
func (d *descriptor) listen(r reader) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.unread {
		d.unread = false
		return false
	}
	d.reader = r
	return true
}

// ready is called by the poller.
func (d *descriptor) ready(read, write bool) {
	d.mu.Lock()
	r, f := d.reader, d.full
	if read {
		d.reader, d.unread = nil, r == nil
		if d.woken != nil {
			d.woken.Signal()
		}
	}
	if write {
		d.full = nil
	}
	d.mu.Unlock()
	if read && r != nil {
		r.readable()
	}
	if write && f != nil {
		f.resume()
	}
}

// unacknowledged implements [outlet] (tcp(7), SIOCOUTQ).
func (d *descriptor) unacknowledged() (int, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return outputQueue(d.fd)
}

func (d *descriptor) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fd < 0 {
		return
	}
	d.poller.forget(d)
	unix.Close(d.fd)
	if d.source != nil {
		d.source.leave()
	}
	d.fd, d.reader, d.full = -1, nil, nil
	if d.woken != nil {
		d.woken.Broadcast()
	}
}

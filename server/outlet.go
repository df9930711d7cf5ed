package server

import (
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// outlet is the write side of a connection. It is a [readyOutlet] or a
// [waitingOutlet].
type outlet interface {
	// unacknowledged is how many written bytes the peer has not taken yet,
	// and whether that can be known.
	unacknowledged() (int, bool)
	close()
}

// readyOutlet can tell what its socket has room for.
type readyOutlet interface {
	outlet
	// tryWrite writes what fits without waiting.
	tryWrite([]byte) (int, error)
	// awaitWritable has the feed resume once there is room again.
	awaitWritable(*feed) error
}

// waitingOutlet cannot: its write takes as long as the peer does.
type waitingOutlet interface {
	outlet
	// write writes everything. It returns early only when the connection
	// fails or is closed.
	write([]byte) error
}

// reader is told that a peer has sent something, in the poller's goroutine: it
// must not wait.
type reader interface{ readable() }

// takeOver returns the outlet of a hijacked connection, and what reads from
// it. Both are closed with the outlet.
func (h *hub) takeOver(conn net.Conn) (outlet, io.Reader) {
	if d, ok := takeDescriptor(conn, h.poller); ok {
		return d, d
	}
	return streamOutlet{conn}, conn
}

// streamOutlet writes to a connection that may hold bytes back, such as TLS.
type streamOutlet struct{ net.Conn }

func (o streamOutlet) write(b []byte) error { return writeAll(o.Conn, b) }

// close does not wait for a last word of TLS that a dead peer never takes.
func (o streamOutlet) close() { netConn(o.Conn).Close() }

func (o streamOutlet) unacknowledged() (n int, known bool) {
	control(o.Conn, func(fd uintptr) { n, known = outputQueue(int(fd)) })
	return n, known
}

// control calls f with the file descriptor of the TCP connection below, if there
// is one and it is open.
func control(c net.Conn, f func(fd uintptr)) {
	if tcp, ok := netConn(c).(syscall.Conn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			_ = raw.Control(f)
		}
	}
}

// netConn is the connection below TLS.
func netConn(c net.Conn) net.Conn {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		return t.NetConn()
	}
	return c
}

func writeAll(w io.Writer, b []byte) error {
	_, err := w.Write(b)
	return err
}

// responseOutlet writes to a response that cannot be hijacked (HTTP/2). Its
// handler stays in wait until the feed has ended. A peer that takes nothing is
// found by the pings of HTTP/2.
type responseOutlet struct {
	w       http.ResponseWriter
	control *http.ResponseController
	done    chan struct{}
	once    sync.Once
	writing sync.Mutex
	closing atomic.Bool
}

func newResponseOutlet(w http.ResponseWriter) *responseOutlet {
	return &responseOutlet{w: w, control: http.NewResponseController(w), done: make(chan struct{})}
}

func (o *responseOutlet) unacknowledged() (int, bool) { return 0, false }

func (o *responseOutlet) write(b []byte) error {
	o.writing.Lock()
	defer o.writing.Unlock()
	if o.closing.Load() {
		return net.ErrClosed
	}
	if err := writeAll(o.w, b); err != nil {
		return err
	}
	return o.control.Flush()
}

// close lets the handler return. A write that the peer does not take is cut,
// also one that begins just now: it saw closing, or its deadline has passed.
func (o *responseOutlet) close() {
	o.once.Do(func() {
		o.closing.Store(true)
		if o.writing.TryLock() {
			o.writing.Unlock()
		} else {
			o.control.SetWriteDeadline(time.Now())
		}
		close(o.done)
	})
}

// wait returns when the outlet is closed and nothing is being written to it:
// a response must not be used once its handler has returned.
func (o *responseOutlet) wait() {
	<-o.done
	o.writing.Lock()
	defer o.writing.Unlock()
}

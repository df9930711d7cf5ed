package server

import (
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// outlet is the write side of a connection.
type outlet interface {
	// tryWrite writes what fits without waiting. An outlet that cannot tell
	// what fits writes nothing.
	tryWrite([]byte) (int, error)
	// write writes everything. It returns early only when the connection
	// fails or is closed.
	write([]byte) error
	// unacknowledged is how many written bytes the peer has not taken yet,
	// and whether that can be known.
	unacknowledged() (int, bool)
	// waits reports whether tryWrite never writes anything.
	waits() bool
	close()
}

// tcpOutlet writes to a bare socket.
type tcpOutlet struct {
	net.Conn
	raw syscall.RawConn
}

// newOutlet returns the outlet of a hijacked connection.
func newOutlet(c net.Conn) (outlet, error) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return streamOutlet{c}, nil
	}
	raw, err := tcp.SyscallConn()
	return &tcpOutlet{Conn: c, raw: raw}, err
}

func (o *tcpOutlet) tryWrite(b []byte) (written int, err error) {
	failed := o.raw.Write(func(fd uintptr) bool {
		written, err = writeNow(int(fd), b)
		return true
	})
	if failed != nil {
		err = failed
	}
	return written, err
}

// writeNow writes until everything is written or the socket is full.
func writeNow(fd int, b []byte) (written int, err error) {
	for written < len(b) {
		n, err := syscall.Write(fd, b[written:])
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return written, nil
		case err != nil:
			return written, err
		default:
			written += n
		}
	}
	return written, nil
}

func (o *tcpOutlet) write(b []byte) error        { return writeAll(o.Conn, b) }
func (o *tcpOutlet) unacknowledged() (int, bool) { return outputQueue(o.raw) }
func (o *tcpOutlet) waits() bool                 { return false }
func (o *tcpOutlet) close()                      { o.Conn.Close() }

// streamOutlet writes to a connection that may hold bytes back, such as TLS.
type streamOutlet struct{ net.Conn }

func (o streamOutlet) tryWrite([]byte) (int, error) { return 0, nil }
func (o streamOutlet) write(b []byte) error         { return writeAll(o.Conn, b) }
func (o streamOutlet) waits() bool                  { return true }

// close does not wait for a last word of TLS that a dead peer never takes.
func (o streamOutlet) close() { netConn(o.Conn).Close() }

func (o streamOutlet) unacknowledged() (int, bool) {
	tcp, ok := netConn(o.Conn).(*net.TCPConn)
	if !ok {
		return 0, false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, false
	}
	return outputQueue(raw)
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
}

func newResponseOutlet(w http.ResponseWriter) *responseOutlet {
	return &responseOutlet{w: w, control: http.NewResponseController(w), done: make(chan struct{})}
}

func (o *responseOutlet) tryWrite([]byte) (int, error) { return 0, nil }
func (o *responseOutlet) waits() bool                  { return true }
func (o *responseOutlet) unacknowledged() (int, bool)  { return 0, false }

func (o *responseOutlet) write(b []byte) error {
	o.writing.Lock()
	defer o.writing.Unlock()
	select {
	case <-o.done:
		return net.ErrClosed
	default:
	}
	if err := writeAll(o.w, b); err != nil {
		return err
	}
	return o.control.Flush()
}

// close lets the handler return; a write that the peer does not take is cut.
func (o *responseOutlet) close() {
	o.once.Do(func() {
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

package streams

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// A connection that brought nothing for silenceAsk is asked for a sign of
	// life, and dead when it brings none within silenceAnswer. The library does
	// not notice a peer that has vanished; the kernel takes a quarter of an hour.
	silenceTick   = 500 * time.Millisecond
	silenceAsk    = 2 * time.Second
	silenceAnswer = 2 * time.Second
)

// watchedConn is a connection that knows when it last brought something.
//
// There are no read deadlines: one that strikes in the middle of a message
// would leave the rest of it, a publisher's bytes, to be read as the next.
type watchedConn struct {
	net.Conn
	heard atomic.Int64 // when something was last read, in ns
	asked time.Time
	once  sync.Once
	gone  chan struct{} // closed by cut
	cause error         // why, once gone is closed
}

func newWatchedConn(conn net.Conn) *watchedConn {
	c := &watchedConn{Conn: conn, gone: make(chan struct{})}
	c.heard.Store(time.Now().UnixNano())
	return c
}

func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.heard.Store(time.Now().UnixNano())
	return n, err
}

// cut closes the connection: reads and writes under way fail. It returns why,
// which is the first cause given.
func (c *watchedConn) cut(cause error) error {
	c.once.Do(func() {
		c.cause = cause
		close(c.gone)
		_ = c.Conn.Close()
	})
	return c.cause
}

// check asks for a sign of life after a silence, and fails after a long one.
func (c *watchedConn) check(ask func() error) error {
	heard := time.Unix(0, c.heard.Load())
	if c.asked.After(heard) {
		if time.Since(c.asked) > silenceAnswer {
			return errors.New("no sign of life")
		}
		return nil
	}
	if time.Since(heard) > silenceAsk {
		c.asked = time.Now()
		return ask()
	}
	return nil
}

// failedConn stands for a connection that could not be made: the first use
// brings the error. The library counts failed dials, and after some answers
// everybody with the last one while a goroutine that nobody can wait for tries
// again every second; it would be late to see the server come back.
type failedConn struct {
	net.Conn
	err error
}

func (c failedConn) Read([]byte) (int, error)  { return 0, c.err }
func (c failedConn) Write([]byte) (int, error) { return 0, c.err }

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// orFail has a failure to dial come with the first use of the connection.
func (dial dialer) orFail(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := dial(ctx, network, addr)
	if err != nil {
		end, _ := net.Pipe()
		// The library takes one layer off the error, which has to be this one.
		return failedConn{end, fmt.Errorf("%w", err)}, nil
	}
	return conn, nil
}

// oneLine dials once, and hangs up when ctx is done.
type oneLine struct {
	ctx  context.Context
	dial dialer
	conn *watchedConn // nil before the call
	stop func() bool
}

var errOneLine = errors.New("the connection is lost")

func (l *oneLine) once(ctx context.Context, network, addr string) (net.Conn, error) {
	if l.conn != nil {
		return nil, errOneLine
	}
	conn, err := l.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	l.conn = newWatchedConn(conn)
	l.stop = context.AfterFunc(l.ctx, func() { _ = l.conn.cut(l.ctx.Err()) })
	return l.conn, nil
}

func (l *oneLine) hangUp() {
	if l.conn != nil {
		l.stop()
		_ = l.conn.cut(errOneLine)
	}
}

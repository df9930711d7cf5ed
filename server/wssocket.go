package server

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

// socket is the connection that coder/websocket is given. The library reads
// messages and answers pings and closes; the feed alone writes to the wire,
// so that events go out many at a time, encoded once for everybody.
type socket struct {
	net.Conn // nil where polled; the library reads, writes and closes only
	feed     *feed
	peer     io.Reader   // waits for what the peer sends
	polled   *descriptor // nil where only peer can be read
	before   io.Reader   // what net/http had read already, nil once that is used up
	tracker  frameTracker
}

// errIdle says that the peer has nothing to say for now, and that what it said
// ended with a whole message. The library's Conn can go on reading after it:
// nothing of a frame has been taken yet.
var errIdle = errors.New("nothing to read")

// Read passes on what the peer sends. Between two messages it does not wait.
func (s *socket) Read(b []byte) (n int, err error) {
	n, err = s.read(b)
	s.tracker.pass(b[:n])
	s.feed.heard.Store(time.Now().UnixNano())
	return n, err
}

func (s *socket) read(b []byte) (n int, err error) {
	if s.before != nil {
		if n, _ = s.before.Read(b); n > 0 {
			return n, nil
		}
		s.before = nil
	}
	if s.polled == nil || !s.tracker.between() {
		return s.peer.Read(b)
	}
	if n, err = s.polled.readNow(b); err == syscall.EAGAIN {
		err = errIdle
	}
	return n, err
}

// Write takes a control frame of the library's: its buffer holds a whole one,
// so each call is one frame. It never waits, for a pong that stands behind
// data would make the library give up on a slow peer. Nothing follows a close
// frame.
func (s *socket) Write(frame []byte) (int, error) {
	if frame[0] == finalFrame|opClose {
		s.feed.closeWith(frame)
	} else {
		s.feed.offer(frame)
	}
	return len(frame), nil
}

// Close leaves a connection that is closing to the feed, which has its last
// frames to write.
func (s *socket) Close() error {
	if !s.feed.isClosing() {
		s.feed.end()
	}
	return nil
}

// takeover is the ResponseWriter for the library's handshake: it hands out the
// socket, with buffers as small as the library's own writes allow, for they
// stay for as long as the connection does.
type takeover struct {
	http.ResponseWriter
	hub    *hub
	feed   *feed
	socket *socket // once hijacked
}

// Buffers hold a whole control frame: 125 bytes and its header.
const (
	socketReadBuffer  = 256
	socketWriteBuffer = 160
)

// Hijack implements http.Hijacker.
func (t *takeover) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	s := &socket{feed: t.feed}
	if n := rw.Reader.Buffered(); n > 0 {
		early, _ := rw.Reader.Peek(n)
		s.before = bytes.NewReader(bytes.Clone(early))
	}
	t.feed.outlet, s.peer = t.hub.takeOver(conn)
	s.polled, _ = s.peer.(*descriptor)
	t.socket = s
	return s, bufio.NewReadWriter(bufio.NewReaderSize(s, socketReadBuffer), bufio.NewWriterSize(s, socketWriteBuffer)), nil
}

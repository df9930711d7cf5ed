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
	"unicode/utf8"
)

// socket is the connection that coder/websocket is given. The library reads
// messages and answers pings and closes; the feed alone writes to the wire,
// so that events go out many at a time, encoded once for everybody.
type socket struct {
	net.Conn     // nil where polled; the library reads, writes and closes only
	feed         *feed
	conversation *conversation
	peer         io.Reader   // waits for what the peer sends
	polled       *descriptor // nil where only peer can be read
	before       io.Reader   // what net/http had read already, nil once that is used up
	tracker      frameTracker
	over         error       // why the library gets no more to read
	heardOut     int         // bytes that came since the feed was closing
	late         *time.Timer // closes a peer that does not finish its message
}

// framesPerMessage is how many frames a second a peer may send for each message
// of its burst: many more than any client needs to ping or to send in pieces.
const framesPerMessage = 10

var errFlood = fault(codeRateLimited, "too many frames; slow down")

// errIdle says that the peer has nothing to say for now, and that what it said
// ended with a whole message. The library's Conn can go on reading after it:
// nothing of a frame has been taken yet.
var errIdle = errors.New("nothing to read")

// errUnfinished closes a peer whose message does not come to its end.
var errUnfinished = fault(codeRateLimited, "the message took too long to come")

// wrongFrame closes a peer that breaks the rules of RFC 6455.
func wrongFrame(what string) *apiError { return badRequest("%s", what).closing(closeWrongFrame) }

// Read passes on what the peer sends. Between two messages it does not wait.
func (s *socket) Read(b []byte) (n int, err error) {
	if s.over != nil {
		return 0, s.over
	}
	if n, err = s.read(b); err != nil {
		if err != errIdle {
			s.over = err
		}
		return 0, err
	}
	if n = s.heard(b[:n]); n == 0 {
		return 0, s.over
	}
	return n, nil
}

// heard takes note of what the peer sent, and returns how much of it is to be
// passed on. One that floods is closed with its first excess, one that breaks
// the rules once what it sent before is answered: nothing more is looked at.
func (s *socket) heard(b []byte) (good int) {
	now := time.Now()
	s.feed.heard.Store(sinceBegan(now))
	good = s.tracker.pass(b)
	if s.late != nil && s.tracker.ended {
		s.late.Stop()
		s.late = nil
	}
	switch v := s.conversation; {
	case s.over != nil:
	case s.tracker.wrong != "":
		s.over = wrongFrame(s.tracker.wrong)
	case !v.unlimited() && s.tracker.flooded(now, framesPerMessage*v.server.limits.MessageBurst):
		s.over = errFlood
		v.close(errFlood)
		return 0
	}
	return good
}

// pongReads is how often the poller reads from one peer before it turns to the
// others, who all wait for it. An idle peer's pongs take one.
const pongReads = 4

// takePongs reads what the polled peer has sent, as long as that is a few
// answers to the hub's pings. It reports false when there is something else,
// which is kept for Read, or more of it, or the connection is over: then a
// goroutine of the peer's own has to go on.
func (s *socket) takePongs() bool {
	var buffer [8 * pongSize]byte
	for range pongReads {
		n, err := s.polled.readNow(buffer[:])
		switch {
		case err == syscall.EAGAIN:
			return true
		case err != nil:
			return false
		case !pongs(buffer[:n]):
			s.before = bytes.NewReader(bytes.Clone(buffer[:n]))
			return false
		}
		s.heard(buffer[:n])
	}
	return false
}

// pongSize is that of a pong without payload, as the hub's pings are: two bytes
// and the mask.
const pongSize = 2 + maskSize

// pongs reports whether b is whole pongs without payload (RFC 6455 section
// 5.5.3).
func pongs(b []byte) bool {
	for ; len(b) >= pongSize; b = b[pongSize:] {
		if b[0] != finalFrame|opPong || b[1] != masked {
			return false
		}
	}
	return len(b) == 0
}

// read waits for the rest of a message.
func (s *socket) read(b []byte) (n int, err error) {
	n, err = s.readOn(b)
	if err == errIdle && !s.tracker.between() {
		return s.wait(b)
	}
	return n, err
}

// wait waits for the peer. The rest of a message, of which bytes are held, has
// to come within the time of a request's body.
func (s *socket) wait(b []byte) (n int, err error) {
	if v := s.conversation; s.late == nil && !s.tracker.between() {
		s.late = time.AfterFunc(v.server.limits.BodyWait, func() { v.close(errUnfinished) })
	}
	return s.peer.Read(b)
}

// readOn does not wait for a polled peer.
func (s *socket) readOn(b []byte) (n int, err error) {
	if s.before != nil {
		if n, _ = s.before.Read(b); n > 0 {
			return n, nil
		}
		s.before = nil
	}
	if s.polled == nil {
		return s.wait(b)
	}
	if n, err = s.polled.readNow(b); err == syscall.EAGAIN {
		err = errIdle
	}
	return n, err
}

// hearOut reads on while the feed is closing, only to see the peer's goodbye:
// ending the connection with bytes unread would reset it, and take the hub's
// last words from the peer. The error is [errIdle] when there is nothing to
// read for now, and another one when there is nothing to wait for any more.
func (s *socket) hearOut() error {
	buffer := make([]byte, hearOutSize)
	for !s.tracker.saidGoodbye() && s.heardOut < maxHeardOut {
		n, err := s.readOn(buffer)
		if err != nil {
			return err
		}
		s.tracker.pass(buffer[:n])
		s.heardOut += n
	}
	return net.ErrClosed
}

const (
	hearOutSize = 4 << 10
	// maxHeardOut is how much a peer may still send while it is being closed:
	// what was on its way.
	maxHeardOut = 1 << 20
)

// Write takes a control frame of the library's: its buffer holds a whole one,
// so each call is one frame. It never waits, for a pong that stands behind
// data would make the library give up on a slow peer. Nothing follows a close
// frame.
func (s *socket) Write(frame []byte) (int, error) {
	if frame[0] == finalFrame|opClose {
		s.sayGoodbye(frame)
	} else {
		s.feed.offer(frame)
	}
	return len(frame), nil
}

// sayGoodbye answers a peer's close frame, or tells it what the library found
// wrong. The library sends the peer's own reason back, whatever bytes it has.
func (s *socket) sayGoodbye(frame []byte) {
	if utf8.Valid(frame[min(4, len(frame)):]) {
		s.feed.closeWith(frame)
	} else {
		s.conversation.close(errNotText)
	}
}

// Close leaves a connection that is closing to the feed, which has its last
// frames to write.
func (s *socket) Close() error {
	if !s.feed.isClosing() {
		s.feed.end()
	}
	return nil
}

// takeover is the ResponseWriter for the library's handshake: it hands the
// library and the conversation the socket, with buffers as small as the
// library's own writes allow, for they stay for as long as the connection
// does.
type takeover struct {
	http.ResponseWriter
	conversation *conversation
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
	v := t.conversation
	s := &socket{feed: v.feed, conversation: v}
	if n := rw.Reader.Buffered(); n > 0 {
		early, _ := rw.Reader.Peek(n)
		s.before = bytes.NewReader(bytes.Clone(early))
	}
	v.feed.outlet, s.peer = v.server.hub.takeOver(conn)
	s.polled, _ = s.peer.(*descriptor)
	v.socket = s
	return s, bufio.NewReadWriter(bufio.NewReaderSize(s, socketReadBuffer), bufio.NewWriterSize(s, socketWriteBuffer)), nil
}

package server

import (
	"net"
	"syscall"
	"time"
)

// hearOf has readable called whenever the peer has sent something, until it
// has been read to its end; after that, call listen for the next. It reports
// false when the connection cannot be watched and needs a goroutine to read it.
func (f *feed) hearOf(readable func()) bool {
	o, ok := f.outlet.(*tcpOutlet)
	if !ok || f.hub.poller == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.ended {
		f.watch = f.hub.poller.add(o.raw, readable)
	}
	return true
}

// listen waits for the peer's next bytes without a goroutine. A feed that has
// ended hears nothing.
func (f *feed) listen() {
	f.mu.Lock()
	watch := f.watch
	f.mu.Unlock()
	if watch == nil || watch.again() != nil {
		f.end()
	}
}

// wantsPongs reports whether a ping is still answered: nothing may follow a
// close frame.
func (f *feed) wantsPongs() bool {
	closing, _ := f.isClosing()
	return !closing
}

// awaitHangUp ends the feed when its peer is gone. An SSE client has nothing to
// say; one that goes on talking is cut off.
func (f *feed) awaitHangUp(conn net.Conn) {
	left := maxHeard
	heard := func(n int) (goOn bool) {
		f.heard.Store(time.Now().UnixNano())
		left -= n
		return left > 0
	}
	if f.hearOf(func() { f.hearNow(heard) }) {
		f.listen()
		return
	}
	defer f.end()
	buffer := make([]byte, 16)
	for {
		if n, err := conn.Read(buffer); err != nil || !heard(n) {
			return
		}
	}
}

// hearNow reads what the peer has sent and listens on.
func (f *feed) hearNow(heard func(int) bool) {
	var buffer [256]byte
	for {
		n, err := readNow(f.outlet.(*tcpOutlet).raw, buffer[:])
		switch {
		case err == syscall.EAGAIN:
			f.listen()
			return
		case err != nil, n == 0, !heard(n):
			f.end()
			return
		}
	}
}

// maxHeard is how much an SSE client may send after its request: a pipelined
// request or a keep-alive of its own does no harm.
const maxHeard = 4 << 10

package server

import (
	"io"
	"syscall"
	"time"
)

// hangUp waits for an SSE feed's peer to go. It has nothing to say; one that
// goes on talking is cut off.
type hangUp struct {
	feed *feed
	left int // what it may still send
}

// maxHeard is how much an SSE client may send after its request: a pipelined
// request or a keep-alive of its own does no harm.
const maxHeard = 4 << 10

// readable reads what the peer has sent and listens on.
func (h *hangUp) readable() {
	peer := h.feed.outlet.(*descriptor)
	var buffer [256]byte
	for {
		n, err := peer.readNow(buffer[:])
		if err == syscall.EAGAIN {
			if peer.listen(h) {
				return
			}
		} else if err != nil || !h.heard(n) {
			h.feed.end()
			return
		}
	}
}

// wait is readable for a peer that needs a goroutine.
func (h *hangUp) wait(peer io.Reader) {
	defer h.feed.end()
	buffer := make([]byte, 16)
	for {
		if n, err := peer.Read(buffer); err != nil || !h.heard(n) {
			return
		}
	}
}

func (h *hangUp) heard(n int) (goOn bool) {
	h.feed.heard.Store(sinceBegan(time.Now()))
	h.left -= n
	return h.left > 0
}

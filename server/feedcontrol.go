package server

import "sync"

// What the hub itself says to a peer, answers among it, waits here until the
// feed's next delivery.

// maxControl bounds the hub's own frames that wait for a slow peer: answers to
// its own messages, so whoever asks for more waits until it has taken these.
const maxControl = 256 << 10

// send queues a frame of the hub's own. While a slow peer has not taken the
// ones before, the caller, who serves that peer alone, waits. It reports false
// when the feed is closing.
func (f *feed) send(frame []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awaitRoom()
	return f.queue(frame)
}

// awaitRoom waits, with f.mu held, until the peer has taken enough of the
// hub's own frames. Only the goroutine that serves that peer may call it.
func (f *feed) awaitRoom() {
	for len(f.control) > maxControl && !f.closing && !f.ended {
		if f.drained == nil {
			f.drained = sync.NewCond(&f.mu)
		}
		f.drained.Wait()
	}
}

// offer queues a frame that may as well be dropped, without waiting.
func (f *feed) offer(frame []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.control) <= maxControl {
		f.queue(frame)
	}
}

func (f *feed) queue(frame []byte) bool {
	if f.closing || f.ended {
		return false
	}
	f.control = append(f.control, frame...)
	f.schedule()
	return true
}

func (f *feed) wakeSenders() {
	if f.drained != nil {
		f.drained.Broadcast()
	}
}

package server

import (
	"sync"
	"time"
)

// What the hub itself says to a peer, answers among it, waits here until the
// feed's next delivery.

// maxControl bounds what waits for a slow peer, the hub's own frames and the
// rest of an event together: these are answers to its own messages, so whoever
// asks for more waits until it has taken them. One that is longer goes alone.
const maxControl = 64 << 10

// answerPiece is how much of a long answer a peer has to take in
// Limits.AnswerWait: 1 KB/s, which the worst link has. One that takes nothing
// would keep what the answer holds from others.
const answerPiece = maxControl

// send queues a frame of the hub's own. While a slow peer has not taken the
// ones before, the caller, who serves that peer alone, waits. It reports false
// when the feed is closing.
func (f *feed) send(frame []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awaitRoom(len(frame))
	return f.queue(frame)
}

// sendWhole is send for an answer that is to be taken before the peer is asked
// for more: it returns when all of a long one went out. Where the peer does not
// take another piece of it in that time, it calls late.
func (f *feed) sendWhole(frame []byte, wait time.Duration, late func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.watchTaking(wait, late)()
	f.awaitRoom(len(frame))
	if f.queue(frame) && len(frame) > maxControl {
		end := f.queued
		f.await(func() bool { return f.gone >= end })
	}
}

// watchTaking calls late, with f.mu not held, once the peer takes less than a
// piece in that time. It and the function that ends it are called with f.mu held.
func (f *feed) watchTaking(wait time.Duration, late func()) (done func()) {
	taken, over := f.wrote.Load(), false
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		f.mu.Lock()
		now := f.wrote.Load()
		stuck := !over && now < taken+answerPiece
		if !over && !stuck {
			taken = now
			timer.Reset(wait)
		}
		f.mu.Unlock()
		if stuck {
			late()
		}
	})
	return func() { over = true; timer.Stop() }
}

// awaitTaken waits until there is room for another answer.
func (f *feed) awaitTaken() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awaitRoom(maxOutcome)
}

// awaitRoom waits, with f.mu held, until the peer has taken so much that as many
// bytes more may wait for it. Only the goroutine that serves that peer may call
// it.
func (f *feed) awaitRoom(n int) {
	f.await(func() bool { return f.hasRoom(n) })
}

func (f *feed) hasRoom(n int) bool {
	waiting := f.queued - f.gone + f.unsent
	return waiting == 0 || waiting+n <= maxControl
}

// await waits, with f.mu held, until that is so or the feed is closing.
func (f *feed) await(so func() bool) {
	for !so() && !f.closing && !f.ended {
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
	if f.hasRoom(len(frame)) {
		f.queue(frame)
	}
}

func (f *feed) queue(frame []byte) bool {
	if f.closing || f.ended {
		return false
	}
	f.control = append(f.control, frame...)
	f.queued += len(frame)
	f.schedule()
	return true
}

// controlGone says that of control nothing is under way: what is not in it any
// more went out.
func (f *feed) controlGone() {
	if f.flying {
		f.flying = false
		f.gone = f.queued - len(f.control)
		f.wakeSenders()
	}
}

// keepsLeft takes note of what is left of a delivery: it counts by itself unless
// the hub's own frames are in it, which count until all of them are gone.
func (f *feed) keepsLeft(ofEvent bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ofEvent {
		f.controlGone()
	}
	if !f.flying {
		f.unsent = len(f.left)
	}
}

func (f *feed) wakeSenders() {
	if f.drained != nil {
		f.drained.Broadcast()
	}
}

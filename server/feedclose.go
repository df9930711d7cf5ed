package server

import (
	"context"
	"time"
)

// close ends the feed in good order: what is being written is finished, the
// goodbye is said, events that come later are for another connection. It
// reports false when the feed was closing already.
func (f *feed) close(why *apiError) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closing || f.ended || f.pending != nil {
		return false
	}
	if f.held {
		f.pending = why
		return true
	}
	f.sayGoodbye(why)
	return true
}

func (f *feed) sayGoodbye(why *apiError) {
	f.final = why.final()
	f.queue(f.transport.goodbye(nil, why))
	f.startClosing()
}

// saidFinal reports whether the peer was told not to come again.
func (f *feed) saidFinal() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.final
}

// hold puts off closing in good order, until letGo. It waits for room for the
// frame that letGo will queue, and reports false when the feed is closing.
func (f *feed) hold() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awaitRoom(maxOutcome)
	f.held = !f.closing && !f.ended
	return f.held
}

// maxOutcome is more than what a publish is answered with.
const maxOutcome = 1 << 10

// letGo queues a last frame, and closes the feed if that was put off.
func (f *feed) letGo(frame []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = false
	f.queue(frame)
	if f.pending != nil && !f.closing && !f.ended {
		f.sayGoodbye(f.pending)
	}
}

// closeWith closes the feed with a frame as its last word.
func (f *feed) closeWith(frame []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.queue(frame) {
		f.startClosing()
	}
}

// startClosing lets only what is queued out. The peer has closeTimeout to take
// it and to answer.
func (f *feed) startClosing() {
	f.closing = true
	f.parting = f.parting || !f.transport.answers()
	f.stopWaiting()
	f.endBy = time.Now().Add(closeTimeout)
	f.hub.wheel.add(f, f.endBy)
}

// stopWaiting ends, with f.mu held, what the goroutine that serves the peer
// waits for.
func (f *feed) stopWaiting() {
	f.wakeSenders()
	if f.doing != nil {
		f.doing()
	}
}

// context is for answering a message of the peer's: it ends with the feed, too.
// One is under way at a time. The caller calls done.
func (f *feed) context(limit time.Duration) (ctx context.Context, done func()) {
	ctx, cancel := context.WithTimeout(f.hub.ctx, limit)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.doing = cancel; f.closing || f.ended {
		cancel()
	}
	return ctx, func() {
		f.mu.Lock()
		f.doing = nil
		f.mu.Unlock()
		cancel()
	}
}

// closeTimeout is how long a feed that is closing may take.
const closeTimeout = 5 * time.Second

// closeAfterQueued closes the feed with what is queued as its last words.
func (f *feed) closeAfterQueued() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closing && !f.ended {
		f.startClosing()
	}
}

// part ends the feed once what is queued is written.
func (f *feed) part() {
	f.closeAfterQueued()
	f.mu.Lock()
	f.parting = true
	f.mu.Unlock()
	f.schedule()
}

// isClosing reports whether the feed takes nothing new any more.
func (f *feed) isClosing() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closing || f.ended
}

// awaitToken calls late unless the feed is given claims in time, or ends.
func (f *feed) awaitToken(wait time.Duration, late func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.ended {
		f.overtime = time.AfterFunc(wait, late)
	}
}

// stopOvertime reports false when it was too late.
func (f *feed) stopOvertime() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.overtime != nil && f.overtime.Stop()
}

// end ends the feed at once. It may be called more than once.
func (f *feed) end() {
	f.mu.Lock()
	if f.ended {
		f.mu.Unlock()
		return
	}
	f.ended = true
	if f.overtime != nil {
		f.overtime.Stop()
	}
	subs, admission := f.subs, f.admission
	f.subs, f.control = nil, nil
	f.stopWaiting()
	f.mu.Unlock()
	for _, s := range subs {
		s.Close()
	}
	f.outlet.close()
	admission.release()
	f.hub.remove(f)
}

package server

import (
	"bytes"
	"slices"
	"time"

	"runnel/streams"
)

// segment is a piece of what a delivery writes, of which a peer gets all or
// nothing: the hub's own frames, or one event or position of a subscription. A
// gap is one with the event that it names, which may be gone when it is read
// again.
type segment struct {
	end  int                   // where it ends in the buffer
	sub  *streams.Subscription // nil for the hub's own frames
	from streams.ID            // the position before it
	gap  *streams.Gap          // the gap it tells, if it tells one
	live int32                 // how many events in it the peer gets
}

const (
	// maxWrite is about how much one delivery gathers: a busy channel's events
	// share writes, and still every feed gets its turn.
	maxWrite = 64 << 10
	// maxWaitingWrite bounds it where the whole of it has to be kept until the
	// peer has taken it.
	maxWaitingWrite = 16 << 10
	// maxPiece is what a write that waits takes at a time, a record of TLS and a
	// frame of HTTP/2: only whole pieces are known to move.
	maxPiece = 16 << 10
)

// deliver writes everything that follows the feed's positions in one go. It is
// the one loop that drives every feed, on either transport: what does not fit
// into the socket is not kept, it is read again when the socket has room.
func (f *feed) deliver(w *worker) {
	f.state.Store(delivering)
	if len(f.left) > 0 && !f.writeLeft() {
		return
	}
	f.gather(w)
	if len(w.buffer) == 0 {
		f.delivered()
		return
	}
	out, ready := f.outlet.(readyOutlet)
	if !ready {
		f.left, f.owed = bytes.Clone(w.buffer), live(w.segments)
		f.keepsLeft(false)
		f.finish(f.outlet.(waitingOutlet))
		return
	}
	f.write(w, out)
}

// write writes what the worker's buffer holds.
func (f *feed) write(w *worker, out readyOutlet) {
	n, err := out.tryWrite(w.buffer)
	f.written(n, time.Now())
	f.settle(w, out, n, err)
}

// settle goes on after n bytes of the worker's buffer were written.
func (f *feed) settle(w *worker, out readyOutlet, n int, err error) {
	switch {
	case err != nil:
		f.end()
	case n < len(w.buffer):
		f.giveBack(w, n)
		f.awaitWritable(out)
	default:
		w.tally.count(live(w.segments))
		f.delivered()
	}
}

// writeLeft writes on where the last delivery was cut, and reports whether all
// of it went out.
func (f *feed) writeLeft() bool {
	out := f.outlet.(readyOutlet)
	n, err := out.tryWrite(f.left)
	f.written(n, time.Now())
	f.left = f.left[n:]
	switch {
	case err != nil:
		f.end()
	case len(f.left) > 0:
		f.mu.Lock()
		f.unsent = min(f.unsent, len(f.left))
		f.mu.Unlock()
		f.awaitWritable(out)
	default:
		f.leftGone()
		return true
	}
	return false
}

// leftGone counts what was left once all of it went out.
func (f *feed) leftGone() {
	f.worker.tally.count(f.owed)
	f.left, f.owed = nil, 0
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unsent = 0
	f.controlGone()
	f.wakeSenders()
}

// awaitWritable has the feed delivered to again when its peer has taken
// something. Until then it counts as being delivered to.
func (f *feed) awaitWritable(out readyOutlet) {
	if out.awaitWritable(f) != nil {
		f.end()
	}
}

// resume goes on with a delivery that waited for its peer.
func (f *feed) resume() {
	f.state.Store(queued)
	f.worker.push(f)
}

// finish writes what is left in a goroutine of its own, for as long as the peer
// takes; the feed is then delivered to again.
func (f *feed) finish(out waitingOutlet) {
	f.hub.tasks.Go(func() {
		for piece := range slices.Chunk(f.left, maxPiece) {
			if err := out.write(piece); err != nil {
				f.end()
				return
			}
			f.written(len(piece), time.Now())
		}
		f.leftGone()
		f.resume()
	})
}

// gather fills the worker's buffer.
func (f *feed) gather(w *worker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.begin()
	limit := maxWrite
	if _, waits := f.outlet.(waitingOutlet); waits {
		limit = maxWaitingWrite
	}
	f.gatherControl(w, limit)
	switch {
	case len(f.control) > 0: // an answer may be long, and other feeds want their turn
		f.state.Store(again)
	case !f.closing:
		f.gatherEvents(w, limit)
	}
}

func (f *feed) gatherControl(w *worker, limit int) {
	n := min(len(f.control), limit)
	if n == 0 {
		return
	}
	w.buffer = append(w.buffer, f.control[:n]...)
	w.segments = append(w.segments, segment{end: n})
	f.flying = true
	if f.control = f.control[n:]; len(f.control) == 0 {
		f.control = nil
	}
}

// gatherEvents asks the subscriptions in turn, another one first each time:
// a busy channel that fills every write must not keep a quiet one waiting.
func (f *feed) gatherEvents(w *worker, limit int) {
	f.turn++
	for i := range f.subs {
		s := f.subs[(int(f.turn)+i)%len(f.subs)]
		if !s.Due() {
			continue
		}
		if len(w.buffer) >= limit {
			f.state.Store(again)
			return
		}
		batch := s.Next(w.events[:0], limit-len(w.buffer))
		w.events = batch.Events
		f.encode(w, s, &batch)
		w.tally.sample(&batch)
		if s.Due() {
			f.state.Store(again)
		}
	}
}

// encode appends a batch.
func (f *feed) encode(w *worker, s *streams.Subscription, batch *streams.Batch) {
	piece := segment{sub: s, from: batch.From, gap: batch.Gap}
	if g := batch.Gap; g != nil {
		w.buffer = f.transport.gap(w.buffer, g)
	}
	for _, e := range batch.Events {
		if e.Exclude == "" || e.Exclude != f.id {
			w.buffer = f.transport.event(w.buffer, s.Channel(), e)
			piece.live++
		} else {
			w.buffer = f.passBy(w.buffer, s, e)
		}
		if piece.gap != nil && e.Ephemeral() {
			continue
		}
		w.end(piece)
		if piece.gap, piece.live = nil, 0; !e.Ephemeral() {
			piece.from = e.ID
		}
	}
	if piece.gap != nil {
		w.end(piece)
	}
}

// passBy tells of an event that this connection does not get by its position
// alone.
func (f *feed) passBy(b []byte, s *streams.Subscription, e *streams.Event) []byte {
	if e.Ephemeral() {
		return b
	}
	return f.transport.position(b, s.Channel(), e.ID)
}

// giveBack keeps the rest of the segment that the full socket cut, which has to
// go out next, and puts the subscriptions back to before the segments that were
// not begun.
func (f *feed) giveBack(w *worker, n int) {
	cut := 0
	for w.segments[cut].end <= n {
		cut++
	}
	w.tally.count(live(w.segments[:cut]))
	f.left, f.owed = bytes.Clone(w.buffer[n:w.segments[cut].end]), live(w.segments[cut:cut+1])
	f.keepsLeft(w.segments[cut].sub != nil)
	for i := len(w.segments) - 1; i > cut; i-- {
		s := w.segments[i]
		s.sub.Seek(s.from, s.gap)
		f.transport.undo(s.sub.Channel(), s.from)
	}
}

// live is how many of the segments are events that the peer gets.
func live(segments []segment) (n int32) {
	for i := range segments {
		n += segments[i].live
	}
	return n
}

// delivered goes on after everything gathered went out.
func (f *feed) delivered() {
	f.mu.Lock()
	f.controlGone()
	done := f.parting && len(f.control) == 0 || f.ended
	f.mu.Unlock()
	if done {
		f.end()
		return
	}
	f.rest()
}

func (f *feed) written(n int, now time.Time) {
	if n > 0 {
		f.wrote.Add(int64(n))
		f.last.Store(sinceBegan(now))
	}
}

package server

import (
	"bytes"
	"time"

	"runnel/streams"
)

// segment is a piece of what a delivery writes: the hub's own frames, or one
// event, gap or position of a subscription.
type segment struct {
	end  int                   // where it ends in the buffer
	sub  *streams.Subscription // nil for the hub's own frames
	from streams.ID            // the position before it
	gap  *streams.Gap          // the gap it tells, if it is one
}

const (
	// maxWrite is about how much one delivery gathers: a busy channel's events
	// share writes, and still every feed gets its turn.
	maxWrite = 64 << 10
	// maxWaitingWrite bounds it where the whole of it has to be kept until the
	// peer has taken it.
	maxWaitingWrite = 16 << 10
)

// deliver writes everything that follows the feed's positions in one go. It is
// the one loop that drives every feed, on either transport: what does not fit
// into the socket is not kept, it is read again when the socket has room.
func (f *feed) deliver(w *worker) {
	f.state.Store(delivering)
	f.gather(w)
	if len(w.buffer) == 0 {
		f.delivered()
		return
	}
	if f.outlet.waits() {
		f.finish(bytes.Clone(w.buffer))
		return
	}
	n, err := f.outlet.tryWrite(w.buffer)
	f.written(n)
	switch {
	case err != nil:
		f.end()
	case n < len(w.buffer):
		f.finish(f.giveBack(w, n))
	default:
		f.delivered()
	}
}

// gather fills the worker's buffer.
func (f *feed) gather(w *worker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.buffer, w.segments = w.buffer[:0], w.segments[:0]
	if len(f.control) > 0 {
		w.buffer = append(w.buffer, f.control...)
		w.segments = append(w.segments, segment{end: len(w.buffer)})
		f.control = nil
		f.wakeSenders()
	}
	if !f.closing {
		f.gatherEvents(w)
	}
}

// gatherEvents asks the subscriptions in turn, another one first each time:
// a busy channel that fills every write must not keep a quiet one waiting.
func (f *feed) gatherEvents(w *worker) {
	limit := maxWrite
	if f.outlet.waits() {
		limit = maxWaitingWrite
	}
	f.turn++
	for i := range f.subs {
		s := f.subs[(f.turn+i)%len(f.subs)]
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
		if s.Due() {
			f.state.Store(again)
		}
	}
}

// encode appends a batch, each piece as a segment of its own.
func (f *feed) encode(w *worker, s *streams.Subscription, batch *streams.Batch) {
	at := batch.From
	if g := batch.Gap; g != nil {
		w.buffer = f.transport.gap(w.buffer, g)
		w.segments = append(w.segments, segment{len(w.buffer), s, at, g})
		at = g.Last
	}
	for _, e := range batch.Events {
		if e.Exclude != "" && e.Exclude == f.id {
			w.buffer = f.passBy(w.buffer, s, e)
		} else {
			w.buffer = f.transport.event(w.buffer, s.Channel(), e)
		}
		w.segments = append(w.segments, segment{len(w.buffer), s, at, nil})
		if !e.Ephemeral() {
			at = e.ID
		}
	}
	w.tally.delivered(batch)
}

// passBy tells of an event that this connection does not get by its position
// alone.
func (f *feed) passBy(b []byte, s *streams.Subscription, e *streams.Event) []byte {
	if e.Ephemeral() {
		return b
	}
	return f.transport.position(b, s.Channel(), e.ID)
}

// giveBack keeps the rest of the segment that the full socket cut, and puts
// the subscriptions back to before the segments that were not begun. It
// returns that rest, which has to go out next.
func (f *feed) giveBack(w *worker, n int) []byte {
	cut := 0
	for w.segments[cut].end <= n {
		cut++
	}
	for i := len(w.segments) - 1; i > cut; i-- {
		s := w.segments[i]
		s.sub.Seek(s.from, s.gap)
		f.transport.undo(s.sub.Channel(), s.from)
	}
	return bytes.Clone(w.buffer[n:w.segments[cut].end])
}

// finish writes the rest in a goroutine of its own, for as long as the peer
// takes; the feed is then delivered to again.
func (f *feed) finish(rest []byte) {
	f.hub.tasks.Go(func() {
		if err := f.outlet.write(rest); err != nil {
			f.end()
			return
		}
		f.written(len(rest))
		f.state.Store(again)
		f.delivered()
	})
}

// delivered goes on after everything gathered went out.
func (f *feed) delivered() {
	f.mu.Lock()
	done := f.parting && len(f.control) == 0 || f.ended
	f.mu.Unlock()
	if done {
		f.end()
		return
	}
	f.rest()
}

func (f *feed) written(n int) {
	if n > 0 {
		f.wrote.Add(int64(n))
		f.last.Store(time.Now().UnixNano())
	}
}

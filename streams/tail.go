package streams

import (
	"sort"
	"time"
)

// tail is the newest events of a channel, unbroken: each names the one before
// it. It answers for a position only if it holds it; what it does not hold is
// a question for the log. Ephemeral events stand between the others.
//
// The owner locks it.
type tail struct {
	known  bool   // newest is set
	newest ID     // the last ID heard of
	before ID     // the position before the first event held
	events []held // oldest first
	first  uint64 // number of events[0], counted over the tail's life; never 0 once known
	size   int    // bytes of events, without their forms
	holder *Broker
}

// held is an event of a tail and when it came.
type held struct {
	*Event
	arrived time.Time
}

// ephemeralLife is how long an ephemeral event waits for a reader that is
// about to come by. A typing sign is worth nothing later.
const ephemeralLife = 5 * time.Second

// heard is what a tail made of an event.
type heard int

const (
	heardNew   heard = iota // appended: there is something to read
	heardKnown              // held already, or of no use
	heardHole               // something before it is missing: read the log
)

// reset empties the tail and has it begin at a position. It skips a number, so
// that nobody who stood at the end takes what comes for what follows.
func (t *tail) reset(at ID) {
	t.drop(len(t.events))
	t.known, t.newest, t.before = true, at, at
	t.first++
}

// rename has a tail before its channel's first event stand at another name of
// that position.
func (t *tail) rename(at ID) { t.newest, t.before = at, at }

// offer appends an event that follows the newest.
func (t *tail) offer(e *Event) heard {
	switch {
	case !t.known:
		return heardHole
	case e.Ephemeral(), e.Prev == t.newest:
		t.append(e)
		return heardNew
	case e.ID == t.newest:
		return heardKnown
	}
	if _, ok := t.index(e.ID); ok {
		return heardKnown
	}
	return heardHole
}

func (t *tail) append(e *Event) {
	e.holder = t.holder
	t.events = append(t.events, held{e, time.Now()})
	t.size += e.Size()
	if !e.Ephemeral() {
		t.newest = e.ID
	}
}

// drop forgets the n oldest events and returns how many bytes that freed.
func (t *tail) drop(n int) (freed int) {
	for i, e := range t.events[:n] {
		freed += e.Size()
		if !e.Ephemeral() {
			t.before = e.ID
		}
		e.letGo()
		t.events[i] = held{}
	}
	t.events = t.events[n:]
	if len(t.events) == 0 {
		t.events = nil
	}
	t.first += uint64(n)
	t.size -= freed
	return freed
}

// older counts the events that came before the time.
func (t *tail) older(than time.Time) (n int) {
	for n < len(t.events) && t.events[n].arrived.Before(than) {
		n++
	}
	return n
}

// excess counts the oldest events that stand above the bounds.
func (t *tail) excess(events, bytes int) (n int) {
	size := t.size
	for n < len(t.events) && (len(t.events)-n > events || size > bytes) {
		size -= t.events[n].Size()
		n++
	}
	return n
}

// end is the number that the next event will get.
func (t *tail) end() uint64 { return t.first + uint64(len(t.events)) }

// number returns the number of the first event after position p, passing by
// ephemeral ones at p, and whether the tail holds p at all.
func (t *tail) number(p ID) (uint64, bool) {
	if !t.known {
		return 0, false
	}
	if p == t.newest {
		return t.end(), true
	}
	i, ok := t.index(p)
	if !ok && p != t.before {
		return 0, false
	}
	if ok {
		i++
	}
	for i < len(t.events) && t.events[i].Ephemeral() {
		i++
	}
	return t.first + uint64(i), true
}

// index finds the event with the ID. Ephemeral events in between are taken
// for their nearest stored neighbour to the right, so that order holds.
func (t *tail) index(id ID) (int, bool) {
	stored := func(i int) int {
		for i < len(t.events) && t.events[i].Ephemeral() {
			i++
		}
		return i
	}
	i := sort.Search(len(t.events), func(i int) bool {
		i = stored(i)
		return i == len(t.events) || !t.events[i].ID.Less(id)
	})
	i = stored(i)
	return i, i < len(t.events) && t.events[i].ID == id
}

// read appends to dst the events from a number on, up to about so many bytes,
// and returns the number to go on from. Ephemeral events are passed by that are
// old, or came before the number of live.
func (t *tail) read(number, live uint64, dst []*Event, bytes int) ([]*Event, uint64) {
	for i := int(number - t.first); i < len(t.events) && bytes > 0; i++ {
		e := t.events[i]
		number++
		if e.Ephemeral() && (number <= live || time.Since(e.arrived) > ephemeralLife) {
			continue
		}
		bytes -= e.Size()
		dst = append(dst, e.Event)
	}
	return dst, number
}

package streams

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What can go wrong with a log. Engines wrap these; the cause is for the
// operator's log line.
var (
	// ErrUnavailable: the log cannot be reached, or refuses; nothing was appended.
	ErrUnavailable = errors.New("the log is unavailable")
	// ErrUnknownOutcome: the answer was lost; perhaps it was appended. To be
	// repeated with the same idempotency key.
	ErrUnknownOutcome = errors.New("the log did not answer; perhaps the event was appended")
	// ErrKeysFull: the log has no room for another idempotency key for now. It is
	// an ErrUnavailable.
	ErrKeysFull = fmt.Errorf("%w: there is no room for another idempotency key", ErrUnavailable)
	// ErrKeyReused: the idempotency key was used with another draft.
	ErrKeyReused = errors.New("the idempotency key was used for another event")
	// ErrClosed: the log, broker or subscription has been closed.
	ErrClosed = errors.New("closed")
)

// Log keeps the events of every channel in order, and alone assigns their
// IDs. All methods may be called from many goroutines at once.
//
// A channel's numbering begins with a base. Channels that never had an event
// share one, so that whatever names are read leave nothing behind; it is lost
// when the log is.
type Log interface {
	// Append adds the drafts to the channel, in their order and next to each
	// other but for ephemeral ones, which go to followers only. It returns
	// one result per draft. When a result carries no error the log has the
	// event as safely as the engine promises, and only then does any follower
	// hear of it. An error of Append itself is ErrUnavailable (nothing was
	// appended), ErrUnknownOutcome (any of them may have been) or ErrClosed.
	// One caller's successive Appends to a channel keep their order. Older
	// events go by keep.
	Append(ctx context.Context, channel string, keep Retention, drafts []Draft) ([]Result, error)

	// Heads returns where each of the channels stands, in their order; the
	// zero Head for one of which it cannot say so. It also renews what the log
	// keeps of a channel whose history has expired.
	Heads(ctx context.Context, channels []string) ([]Head, error)

	// Range reads a page of the channel's retained events. The page is one
	// consistent view: head, neighbours and events belong together.
	Range(ctx context.Context, channel string, q Query) (Page, error)

	// Stored lists the channels that ever had an event and are not forgotten,
	// a page at a time, each for a bounded amount of work; in memory for a look
	// at each name there is. A page may have
	// fewer channels than the limit, or none, and yet not be the last; it may
	// have somewhat more, and a channel may be on two pages. Only a place that the
	// log gave is a good one: any other may be ErrBadPlace.
	Stored(ctx context.Context, l Listing) (Stored, error)

	// Follow has f hear of the channel from now on, until stop. It calls
	// f.Resync once it does hear, and again whenever it may have missed
	// something; whoever then reads the log has missed nothing. It returns at
	// once and goes on trying while the log is away. A call of f may still be
	// under way when stop returns. There is one follower per channel at a time.
	Follow(channel string, f Follower) (stop func())

	// Close ends all goroutines of the log and waits for them. Appends under
	// way finish first.
	Close() error
}

// Follower hears of a channel's events. Its methods must not block, nor call
// the log.
type Follower interface {
	// Deliver brings an event; usually in order, perhaps late or not at all.
	Deliver(*Event)
	// Resync says that events may have been missed.
	Resync()
}

// Result is the outcome of one draft: its ID (zero for an ephemeral one), or
// ErrKeyReused or ErrKeysFull.
type Result struct {
	ID  ID
	Err error
}

// Head is where a channel stands.
type Head struct {
	Last ID // the last ID assigned; before the first event a position of number 0
	Base ID // where the numbering began; zero when that is not known any more
}

// begins reports whether p is before the channel's first event, perhaps by
// another name than that event's Prev: logs that forget channels move up where
// unused ones stand, and what they handed out before is as good.
func (h Head) begins(p ID) bool { return p.N == 0 && !h.Base.IsZero() && !p.Less(h.Base) }

// unused reports whether p is where a channel stands that never had an event.
func (h Head) unused(p ID) bool { return h.Last.N == 0 && h.begins(p) }

// Query says which page to read.
type Query struct {
	// From is where to begin. Forward, the event of that ID is part of the
	// page; backward it is not, and the zero ID means from the newest.
	From     ID
	Backward bool
	Events   int // at most so many events, at least 1
	Bytes    int // stop at the event that passes so many bytes of Size; at least one event is returned
}

// Page is a piece of a channel's history.
type Page struct {
	Head
	// Events are in ID order in both directions. Neighbours need not be
	// contiguous (see Event.Prev): events can have been deleted by hand.
	Events []*Event
	// Below is the newest retained event below Query.From, zero if there is
	// none. Forward only. Where the first of Events follows directly, its Prev
	// being the position before From, it may be zero all the same.
	Below ID
	// More says that the limits ended the page, not the history.
	More bool
	// Forks are where the log is known to have lost what came next, oldest
	// first; see [Fork].
	Forks []Fork
}

// Retention says what a channel keeps. Engines may keep somewhat more.
type Retention struct {
	Count int           // events, at least 1
	Age   time.Duration // at least a millisecond
}

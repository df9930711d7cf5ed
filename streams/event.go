package streams

import (
	"sync/atomic"
	"time"
)

// Event is one published item. It never changes, so that every connection
// shares it; always handled by pointer.
type Event struct {
	ID      ID     // zero for an ephemeral event
	Prev    ID     // the ID before it in its channel, the base for the first; for an ephemeral event zero
	Type    string // "" means "message"
	Data    []byte // as it will be delivered: valid JSON, or with Text any UTF-8 text without CR
	Text    bool   // published as text, not as a JSON value
	From    string // the publishing user, "" if there was none
	Exclude string // the connection that does not get it, "" for none

	forms  [Forms]atomic.Pointer[[]byte]
	holder *Broker // has it in a tail or a page; nil: nobody, and no form is kept
}

// Forms is how many wire formats an event can keep encoded.
const Forms = 3

// Form returns the event encoded in the wire format of that number. While a
// tail or a page holds the event, and the broker's budget has room for it, it
// calls encode the first time only: what a thousand connections write is made
// once.
func (e *Event) Form(number int, encode func(*Event) []byte) []byte {
	slot := &e.forms[number]
	kept := slot.Load()
	if kept != nil && kept != &noForm {
		return *kept
	}
	b := encode(e)
	if kept == nil && e.holder.takesForm(len(b)) && !slot.CompareAndSwap(nil, &b) {
		e.holder.held.Add(-int64(len(b))) // somebody else was faster
	}
	return b
}

// noForm stands where no form is to be kept any more.
var noForm []byte

// letGo gives the forms back to the budget. Whoever still has the event encodes
// it for itself.
func (e *Event) letGo() {
	for i := range e.forms {
		if kept := e.forms[i].Swap(&noForm); kept != nil && kept != &noForm {
			e.holder.held.Add(-int64(len(*kept)))
		}
	}
}

// Ephemeral reports whether the event was delivered live only.
func (e *Event) Ephemeral() bool { return e.ID.IsZero() }

// Size is what budgets count for the event: its fields and an allowance for
// the struct itself.
func (e *Event) Size() int {
	return eventOverhead + len(e.Type) + len(e.Data) + len(e.From) + len(e.Exclude)
}

// eventOverhead is about what an Event and the slots that point to it take.
const eventOverhead = 192

// Draft is an event before the log has taken it.
type Draft struct {
	Type      string
	Data      []byte
	Text      bool
	From      string
	Exclude   string
	Ephemeral bool // deliver to those who listen now, store nothing

	// Key makes a repeated Append of the same draft within KeyLife return the
	// first answer. It has to name the publisher too; "" for none.
	Key string
}

// KeyLife is how long a log remembers an idempotency key.
const KeyLife = 5 * time.Minute

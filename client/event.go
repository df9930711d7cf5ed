package client

import "time"

// Event is one item of a channel. Publishing reads the first group of fields,
// and PublishBatch Channel; a subscription fills all but Key and Exclude.
type Event struct {
	Type      string // "" for "message"; no white space at its ends, no control or format characters
	Data      []byte // JSON, or with Text any UTF-8 text; not empty
	Text      bool   // Data is text, not a JSON value
	Ephemeral bool   // delivered to those who listen now, never stored
	Key       string // idempotency key; one is made up for ""
	Exclude   string // the connection that shall not get it

	Channel  string
	ID       string    // "" for an ephemeral event
	From     string    // the user who published it; not known in a feed of one channel
	Time     time.Time // when the log appended it; zero for an ephemeral event
	Position string    // where the feed stands after it: LastEventID to go on from here
}

// Gap tells of events that a subscription can no longer get.
type Gap struct {
	Channel     string  `json:"channel"`
	After       *string `json:"after"`         // the position before; nil where there was none
	LastEventID string  `json:"last_event_id"` // the position now
	ResumedAt   *string `json:"resumed_at"`    // the ID of the next event; nil when there is none yet
	Missed      *int64  `json:"missed"`        // how many; nil where it cannot be known
	Reason      string  `json:"reason"`        // trimmed, expired, unknown or rollback
	Position    string  `json:"-"`             // where the feed stands after it
}

// Start says where a subscription begins. The first field that is set counts;
// the zero Start is now.
type Start struct {
	LastEventID string // go on after this position; "earliest" for all that is retained
	Since       string // RFC 3339, or a duration such as "10m" before now
	Rewind      int    // the last so many events of each channel
}

// Handler is called back by [Client.Subscribe], by one goroutine, never two at
// once. A slow handler holds up its own subscription and nothing else.
type Handler struct {
	// Event is required. Only when it has returned nil does the event count
	// as reached; an error ends the subscription and is returned as it is.
	Event func(Event) error

	// Gap is told what is missing before the events that follow it; without
	// it a gap is logged as a warning. An error ends the subscription.
	Gap func(Gap) error

	// State, if not nil, hears when a feed has begun or has ended.
	State func(State)
}

// State is what became of a subscription's connection: begun when Cause is
// nil, else ended or not come about.
type State struct {
	Connection string // the hub's name for the connection, for Event.Exclude
	User       string // whom the hub takes the client for, "" for nobody
	Node       string // which node it is connected to
	Position   string // where the feed stands

	Cause error         // why there is no connection
	Retry time.Duration // the next attempt is made after this
}

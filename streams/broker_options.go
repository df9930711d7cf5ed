package streams

import (
	"log/slog"
	"time"
)

// BrokerOptions configures a broker. Only Log is required.
type BrokerOptions struct {
	Log  Log
	Node string // names the node's probe channel; must differ between nodes

	// Retention says what a channel keeps. Default: 1,000 events and 24 h.
	Retention func(channel string) Retention

	TailEvents int // events a channel's tail holds at most, default 1,000
	TailBytes  int // bytes of them at most, default 1 MiB

	// Memory is how many bytes all tails and pages of history hold at most, with
	// each Form of their events that is kept, default 64 MiB. Pages that are just
	// being read come on top: 16 at a time, of 256 KiB and an event each, and
	// what they bring in the tenth of a second until others are let go. While it
	// is exceeded more is read from the log, and later, and no further form kept.
	Memory int64

	TailAge    time.Duration // what is older is for the log to answer, default 1 min
	Linger     time.Duration // how long a channel that nobody reads is followed, default 10 s
	CheckEvery time.Duration // in what time all tails are compared with the log unasked, default 30 s
	ProbeEvery time.Duration // how often the way through the log is tried out, default 2 s

	Logger *slog.Logger // default: none
}

func (o *BrokerOptions) setDefaults() {
	if o.Retention == nil {
		o.Retention = func(string) Retention { return DefaultRetention }
	}
	o.TailEvents = orDefault(o.TailEvents, 1000)
	o.TailBytes = orDefault(o.TailBytes, 1<<20)
	o.Memory = orDefault(o.Memory, 64<<20)
	o.TailAge = orDefault(o.TailAge, time.Minute)
	o.Linger = orDefault(o.Linger, 10*time.Second)
	o.CheckEvery = orDefault(o.CheckEvery, 30*time.Second)
	o.ProbeEvery = orDefault(o.ProbeEvery, 2*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// DefaultRetention is what a channel keeps unless configured otherwise.
var DefaultRetention = Retention{Count: 1000, Age: 24 * time.Hour}

func orDefault[T int | int64 | time.Duration](v, standard T) T {
	if v == 0 {
		return standard
	}
	return v
}

package streams

// Gap is the account of events a subscription can no longer get: it stood at
// After, and goes on after Last.
type Gap struct {
	Channel string
	After   ID     // the position it had; zero when it began by time
	Last    ID     // its new position; lower than After after some rollbacks
	Resumed ID     // the event that comes next, zero if there is none yet
	Missed  int64  // how many events are gone, MissedUnknown when that cannot be known
	Reason  Reason // why
}

// with is the gap together with one that follows it directly, nil if none does,
// and then the events.
func (g *Gap) with(next *Gap, events []*Event) *Gap {
	all := *g
	all.Resumed = ID{}
	for _, e := range events {
		if !e.Ephemeral() {
			all.Resumed = e.ID
			break
		}
	}
	if next == nil {
		return &all
	}
	all.Last = next.Last
	if all.Missed == MissedUnknown || next.Missed == MissedUnknown {
		all.Missed = MissedUnknown
	} else {
		all.Missed += next.Missed
	}
	if all.Reason == Trimmed || all.Reason == Expired && next.Reason != Trimmed {
		all.Reason = next.Reason
	}
	return &all
}

// MissedUnknown is the Missed of a gap whose size cannot be known.
const MissedUnknown = -1

// Reason says why events are gone.
type Reason string

// The reasons for a gap.
const (
	Trimmed  Reason = "trimmed"  // retention removed them, or somebody by hand
	Expired  Reason = "expired"  // retention removed everything
	Unknown  Reason = "unknown"  // the position is from before this log's numbering began
	Rollback Reason = "rollback" // the log lost what it had; the position is from that lost past
)

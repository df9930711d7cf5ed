package streams

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// counters is what the broker counts about its work.
type counters struct {
	Reads, LogErrors atomic.Uint64
	published        atomic.Uint64
	exact            atomic.Uint64
	gaps             [4]atomic.Uint64
}

var reasons = [4]Reason{Trimmed, Expired, Unknown, Rollback}

// resumed counts how a subscription that began at a position went on.
func (c *counters) resumed(g *Gap) {
	if g == nil {
		c.exact.Add(1)
		return
	}
	for i, r := range reasons {
		if g.Reason == r {
			c.gaps[i].Add(1)
		}
	}
}

// Stats is a snapshot of what the broker does.
type Stats struct {
	Channels      int               // followed by this node
	Subscriptions int               // open
	Held          int64             // bytes in tails and pages of history
	Published     uint64            // events taken by the log or handed to followers
	HistoryReads  uint64            // pages asked of the log
	LogErrors     uint64            // calls of the log that failed
	ResumedExact  uint64            // subscriptions that went on without a gap
	ResumedGap    map[Reason]uint64 // and those that began with one
}

// Stats returns a snapshot.
func (b *Broker) Stats() Stats {
	s := Stats{
		Held:         b.held.Load(),
		Published:    b.count.published.Load(),
		HistoryReads: b.count.Reads.Load(),
		LogErrors:    b.count.LogErrors.Load(),
		ResumedExact: b.count.exact.Load(),
		ResumedGap:   make(map[Reason]uint64, len(reasons)),
	}
	for i, r := range reasons {
		s.ResumedGap[r] = b.count.gaps[i].Load()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.Channels, s.Subscriptions = len(b.channels), b.readers
	return s
}

// faultLog writes failures of the log to the operator's log: each kind at most
// once in faultEvery, because a store that is away fails every call.
type faultLog struct {
	logger *slog.Logger
	mu     sync.Mutex
	last   map[string]time.Time // by what failed, a fixed set
}

const faultEvery = 5 * time.Second

func (f *faultLog) report(what, channel string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.last[what]) < faultEvery {
		return
	}
	f.last[what] = time.Now()
	f.logger.Error("the log failed", "doing", what, "channel", channel, "cause", err)
}

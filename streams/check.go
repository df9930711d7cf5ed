package streams

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// checks is the channels whose tail somebody wants compared with the log. Each
// stands in it once, however often it is asked for.
type checks struct {
	mu     sync.Mutex
	due    []*channel // first come, first served
	signal chan struct{}
}

// headsAtOnce is how many channels are compared in one call of the log.
const headsAtOnce = 512

// check has a channel's tail compared with the log soon.
func (b *Broker) check(c *channel) {
	b.checks.add(c)
	signal(b.checks.signal)
}

func (k *checks) add(c *channel) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !c.checkDue {
		c.checkDue = true
		k.due = append(k.due, c)
	}
}

// take takes up to headsAtOnce of the channels that are due.
func (k *checks) take() []*channel {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := min(len(k.due), headsAtOnce)
	due := k.due[:n:n]
	for _, c := range due {
		c.checkDue = false
	}
	if k.due = k.due[n:]; len(k.due) == 0 {
		k.due = nil
	}
	return due
}

// runChecks compares tails with the log: those somebody asked for at once, and
// all in turn, as a net under messages that were lost without a sign.
func (b *Broker) runChecks() {
	var round round
	turn := time.NewTimer(b.options.CheckEvery)
	defer turn.Stop()
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-turn.C:
			b.compare(round.take(b))
			turn.Reset(round.pace)
		case <-b.checks.signal:
			for due := b.checks.take(); len(due) > 0 && b.ctx.Err() == nil; due = b.checks.take() {
				b.compare(due)
			}
		}
	}
}

// round goes through all channels, in any order, spread over CheckEvery:
// 100,000 at once would keep the log from other work, and who subscribes
// meanwhile waiting.
type round struct {
	rest []*channel
	pace time.Duration // between two takes
}

func (r *round) take(b *Broker) []*channel {
	if len(r.rest) == 0 {
		r.rest = b.allChannels()
		takes := max(1, (len(r.rest)+headsAtOnce-1)/headsAtOnce)
		r.pace = b.options.CheckEvery / time.Duration(takes)
	}
	n := min(len(r.rest), headsAtOnce)
	due := r.rest[:n:n]
	if r.rest = r.rest[n:]; len(r.rest) == 0 {
		r.rest = nil
	}
	return due
}

// compare asks the log where the channels stand and refreshes those that
// differ. Those that were left meanwhile are let go: while the log is away the
// others stay due, and clients that try again find channels made anew.
func (b *Broker) compare(due []*channel) {
	due = slices.DeleteFunc(due, (*channel).isGone)
	if len(due) == 0 {
		return
	}
	names := make([]string, len(due))
	for i, c := range due {
		names[i] = c.name
	}
	ctx, cancel := context.WithTimeout(b.ctx, readTimeout)
	defer cancel()
	heads, err := b.log.Heads(ctx, names)
	if err != nil {
		b.logFailed("compare with the log", names[0], err)
		b.pause(checkBackoff)
		for _, c := range due {
			b.check(c)
		}
		return
	}
	for i, c := range due {
		last := heads[i].Last
		if last.IsZero() {
			b.logFailed("compare with the log", c.name, errNoHead)
			time.AfterFunc(checkBackoff, func() { b.check(c) })
			continue
		}
		c.begin(last)
		if c.differs(heads[i]) {
			b.refreshSoon(c)
		}
	}
}

// errNoHead is why a channel cannot be followed beside others that can.
var errNoHead = fmt.Errorf("%w: it cannot say where this channel stands, and perhaps takes no writes", ErrUnavailable)

// checkBackoff is the pause after the log could not be asked.
const checkBackoff = 200 * time.Millisecond

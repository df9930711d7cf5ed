package streams

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// probe tries out the way of an event, again and again: an append to a channel
// of the node's own has to come back to its follower. A store that answers but
// does not deliver is found this way, and a connection that is dead without
// having been closed.
type probe struct {
	mu    sync.Mutex
	heard ID
	came  chan struct{} // readable when heard has changed
	good  time.Time
	cause error
}

const (
	// probeTimeout is what one round trip may take.
	probeTimeout = 2 * time.Second
	// readyFor is how long a good round trip counts.
	readyFor = 5 * time.Second
)

var errNoProbe = errors.New("no event has come back from the log yet")

// refollower is a log that can begin its following anew.
type refollower interface{ Refollow() }

// Ready returns nil while an event that this node appended came back to it
// within the last five seconds, else why not.
func (b *Broker) Ready() error {
	p := &b.probe
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.good.IsZero() && time.Since(p.good) < readyFor {
		return nil
	}
	if p.cause == nil {
		return errNoProbe
	}
	return p.cause
}

func (b *Broker) runProbe() {
	p := &b.probe
	p.came = make(chan struct{}, 1)
	name := "$probe:" + b.options.Node
	stop := b.log.Follow(name, p)
	defer stop()
	for b.ctx.Err() == nil {
		err := p.round(b.ctx, b.log, name)
		if b.ctx.Err() != nil {
			return
		}
		p.note(err)
		if err != nil {
			b.logFailed("probe", name, err)
			if r, ok := b.log.(refollower); ok && !errors.Is(err, ErrUnavailable) {
				r.Refollow()
			}
		}
		b.pause(b.options.ProbeEvery)
	}
}

// round appends an event and waits for it to come back.
func (p *probe) round(ctx context.Context, log Log, channel string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	keep := Retention{Count: 1, Age: time.Minute}
	results, err := log.Append(ctx, channel, keep, []Draft{{Type: "probe", Data: []byte("{}")}})
	if err != nil {
		return err
	}
	for !p.hasHeard(results[0].ID) {
		select {
		case <-p.came:
		case <-ctx.Done():
			return fmt.Errorf("an event that was appended did not come back within %v", probeTimeout)
		}
	}
	return nil
}

func (p *probe) hasHeard(id ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.heard.Less(id)
}

func (p *probe) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cause = err
	if err == nil {
		p.good = time.Now()
	}
}

// Deliver notes the event of the probe.
func (p *probe) Deliver(e *Event) {
	p.mu.Lock()
	p.heard = e.ID
	p.mu.Unlock()
	select {
	case p.came <- struct{}{}:
	default:
	}
}

// Resync has nothing to do: the next round is a probe of its own.
func (p *probe) Resync() {}

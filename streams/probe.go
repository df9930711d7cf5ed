package streams

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"
)

// probe tries out the way of an event, again and again: an ephemeral one to a
// channel of the node's own has to come back to its follower. A store that
// answers but does not deliver is found this way, and a connection that is dead
// without having been closed. Nothing of it is stored: a log that takes no
// writes still carries feeds, and its publishers are told by themselves.
type probe struct {
	came   chan struct{} // readable when heard has changed
	missed chan struct{} // readable when what was appended may have been missed

	mu    sync.Mutex
	heard string // the data of the event that came last
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
	p.came, p.missed = make(chan struct{}, 1), make(chan struct{}, 1)
	name := "$probe:" + b.options.Node
	stop := b.log.Follow(name, p)
	defer stop()
	for b.ctx.Err() == nil {
		err := p.round(b.ctx, b.log, name)
		if b.ctx.Err() != nil {
			return
		}
		p.note(err)
		if err == nil {
			b.pause(b.options.ProbeEvery)
			continue
		}
		b.logFailed("probe", name, err)
		if r, ok := b.log.(refollower); ok && !errors.Is(err, ErrUnavailable) {
			r.Refollow()
		}
		p.pause(b.ctx, b.options.ProbeEvery)
	}
}

// pause is over early when the log is followed anew: the cause of the last
// failure may be gone, and clients need not wait for this node.
func (p *probe) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.missed:
	case <-ctx.Done():
	}
}

// round appends an event and waits for it to come back. Where following began
// only after the append it appends another.
func (p *probe) round(ctx context.Context, log Log, channel string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	keep := Retention{Count: 1, Age: time.Minute}
	for again := true; again; {
		select {
		case <-p.missed: // before the append
		default:
		}
		mark := `"` + rand.Text() + `"`
		_, err := log.Append(ctx, channel, keep, []Draft{{Type: "probe", Data: []byte(mark), Ephemeral: true}})
		if err != nil {
			return err
		}
		if again, err = p.await(ctx, mark); err != nil {
			return err
		}
	}
	return nil
}

// await waits for the event with that mark to come back; again: it may have been
// missed. Nothing about its ID tells it from one that came before: where the
// clock of a new master is behind, IDs go back.
func (p *probe) await(ctx context.Context, mark string) (again bool, err error) {
	for !p.hasHeard(mark) {
		select {
		case <-p.came:
		case <-p.missed:
			return true, nil
		case <-ctx.Done():
			return false, fmt.Errorf("an event that was sent did not come back within %v", probeTimeout)
		}
	}
	return false, nil
}

func (p *probe) hasHeard(mark string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heard == mark
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
	p.heard = string(e.Data)
	p.mu.Unlock()
	signal(p.came)
}

// Resync notes that the event of the probe may have been missed.
func (p *probe) Resync() { signal(p.missed) }

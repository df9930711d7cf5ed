//go:build linux

package main

import (
	"fmt"
	"os"
	"time"
)

// run is one hub under one load. close ends the connections and the hub.
type run struct {
	b          *bench
	loop       *loop
	hub        *hub
	crowd      *crowd
	publishers []*publisher
	published  []uint32 // the last number of each source
}

const (
	// atATime is how many connections a crowd begins together: fewer than any
	// backlog holds.
	atATime        = 128
	connectTimeout = 60 * time.Second
	settleTimeout  = 60 * time.Second

	// afterConnect lets a hub finish what connecting left to do.
	afterConnect = 300 * time.Millisecond
	// foreignLag is for hubs that promise nothing of when a feed begins;
	// nchan's second worker was seen to take 700 ms.
	foreignLag = 2 * time.Second
)

// begin starts the variant's hub.
func (b *bench) begin(v variant) (*run, error) {
	l, err := newLoop(b.ctx)
	if err != nil {
		return nil, err
	}
	h, err := b.start(v)
	if err != nil {
		l.close()
		return nil, err
	}
	return &run{b: b, loop: l, hub: h}, nil
}

func (r *run) close() {
	r.part()
	r.hub.stop()
	r.loop.close()
}

// part closes the connections.
func (r *run) part() {
	if r.crowd != nil {
		r.crowd.close()
	}
	for _, p := range r.publishers {
		p.close()
	}
	r.publishers = nil
}

// gather connects a crowd and waits until it is subscribed.
func (r *run) gather(p place) error {
	r.prepare(p)
	if err := r.crowd.connect(atATime, connectTimeout); err != nil {
		return err
	}
	return r.idle(max(afterConnect, r.hub.lag))
}

// prepare makes a crowd that is not connected yet.
func (r *run) prepare(p place) {
	r.crowd = newCrowd(r.loop, r.hub, p)
	if r.published == nil {
		r.published = make([]uint32, max(p.channels, p.publishers))
	}
}

// hire connects n publishers.
func (r *run) hire(n int) error {
	for range n {
		p, err := newPublisher(r.loop, r.hub)
		if err != nil {
			return err
		}
		r.publishers = append(r.publishers, p)
	}
	_, err := r.loop.run(r.loop.now()+connectTimeout, func() bool { return r.failed() != nil || r.free() })
	if err == nil {
		err = r.failed()
	}
	return err
}

// free reports whether no publisher waits for an answer.
func (r *run) free() bool {
	for _, p := range r.publishers {
		if p.busy {
			return false
		}
	}
	return true
}

// failed returns what ended a publisher.
func (r *run) failed() error {
	for _, p := range r.publishers {
		if p.err != nil {
			return fmt.Errorf("publisher: %w", p.err)
		}
	}
	return nil
}

// idle serves the sockets for that long.
func (r *run) idle(d time.Duration) error {
	_, err := r.loop.run(r.loop.now()+d, nil)
	return err
}

// settle waits for the answers to what is being published and for its
// deliveries.
func (r *run) settle() error {
	if _, err := r.loop.run(r.loop.now()+settleTimeout, r.free); err != nil {
		return err
	}
	if err := r.failed(); err != nil {
		return err
	}
	return r.crowd.settled(r.published, settleTimeout)
}

// number takes the next number of a source.
func (r *run) number(source int) uint32 {
	r.published[source]++
	return r.published[source]
}

// usage is what the processes have used.
type usage struct {
	at       time.Duration
	cpu      time.Duration // the server's
	redis    time.Duration
	client   time.Duration
	counted  int64 // deliveries
	requests int64
}

func (r *run) usage() (u usage, err error) {
	u.at = r.loop.now()
	if r.crowd != nil {
		u.counted = r.crowd.tallies[readerAsUsual].Deliveries
	}
	for _, p := range r.publishers {
		u.requests += p.requests
	}
	if u.client, err = cpuOf(os.Getpid()); err != nil {
		return u, err
	}
	if u.cpu, err = r.hub.processes.cpu(); err == nil && r.hub.redis != nil {
		u.redis, err = r.hub.redis.processes.cpu()
	}
	return u, err
}

// since returns what was used after an earlier reading.
func (r *run) since(u usage) (usage, error) {
	now, err := r.usage()
	return usage{
		at: now.at - u.at, cpu: now.cpu - u.cpu, redis: now.redis - u.redis, client: now.client - u.client,
		counted: now.counted - u.counted, requests: now.requests - u.requests,
	}, err
}

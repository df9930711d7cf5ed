//go:build linux

package main

import (
	"fmt"
	"slices"
	"time"
)

// keepalive looks at what idle connections cost while they are kept alive as
// configured by default.
type keepalive struct {
	Subscribers int           `default:"10000" help:"Connections, a channel each (${default})."`
	Time        time.Duration `default:"60s" help:"How long; two intervals of heartbeats or more (${default})."`
}

func (*keepalive) name() string { return "keepalive" }

func (s *keepalive) title() string {
	return fmt.Sprintf("%d idle connections, a channel each, kept alive as by default, %v", s.Subscribers, s.Time)
}

func (s *keepalive) shorten() { s.Subscribers, s.Time = 2000, 26*time.Second }

func (s *keepalive) variants(b *bench) []variant {
	return b.variants("runnel,other", "sse,ws", "memory")
}

func (s *keepalive) measure(b *bench, v variant) (*outcome, error) {
	r, err := b.begin(v)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.idle(b.Warm); err != nil {
		return nil, err
	}
	// As many seconds again without connections: what the hub does anyway.
	empty, err := s.watch(r, min(s.Time, 10*time.Second))
	if err != nil {
		return nil, err
	}
	if err := r.gather(place{transport: v.Transport, subscribers: s.Subscribers, channels: s.Subscribers}); err != nil {
		return nil, err
	}
	if err := r.idle(5 * b.Warm); err != nil { // what connecting left to do
		return nil, err
	}
	full, err := s.watch(r, s.Time)
	if err != nil {
		return nil, err
	}
	n := float64(s.Subscribers)
	perSecond := sum(full.messages) / float64(len(full.messages))
	return &outcome{Checked: r.crowd.checked(), Metrics: []metric{
		{Name: "server CPU µs per connection and second", Value: full.mean() / n},
		{Name: "without connections, µs per second", Value: empty.mean()},
		{Name: "busiest second × mean", Value: slices.Max(full.cpu) / full.mean()},
		{Name: "most messages in a second × mean", Value: slices.Max(full.messages) / max(perSecond, 1)},
		{Name: "messages per connection and minute", Value: perSecond * 60 / n},
	}}, nil
}

// seconds is what each second brought.
type seconds struct {
	cpu      []float64 // µs
	messages []float64 // reads that found something
}

func (s *seconds) mean() float64 { return sum(s.cpu) / float64(len(s.cpu)) }

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}

func (s *keepalive) watch(r *run, d time.Duration) (*seconds, error) {
	all := &seconds{}
	for begin := r.loop.now(); r.loop.now()-begin < d; {
		before, err := r.usage()
		if err != nil {
			return nil, err
		}
		reads := r.reads()
		if err := r.idle(time.Second); err != nil {
			return nil, err
		}
		used, err := r.since(before)
		if err != nil {
			return nil, err
		}
		all.cpu = append(all.cpu, micros(used.cpu)/used.at.Seconds())
		all.messages = append(all.messages, float64(r.reads()-reads))
	}
	return all, nil
}

func (r *run) reads() int64 {
	if r.crowd == nil {
		return 0
	}
	return r.crowd.reads
}

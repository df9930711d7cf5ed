//go:build linux

package main

import (
	"fmt"
	"time"
)

// idle connects many and lets them be.
type idle struct {
	Subscribers int           `default:"10000" help:"Connections, a channel each (${default})."`
	Wait        time.Duration `default:"8s" help:"How long after the last connect memory is read (${default})."`
	Deflate     bool          `help:"WebSockets with permessage-deflate only."`
}

func (*idle) name() string { return "idle" }

func (s *idle) title() string {
	return fmt.Sprintf("%d connections, a channel each, memory %v after the last connect", s.Subscribers, s.Wait)
}

func (s *idle) shorten() { s.Subscribers, s.Wait = 2000, 2*time.Second }

func (s *idle) variants(b *bench) []variant {
	all := b.variants("runnel,ceiling,nchan,other", "sse,ws", "memory")
	if s.Deflate {
		all = deflated(b)
	}
	return all
}

func (s *idle) measure(b *bench, v variant) (*outcome, error) {
	r, err := b.begin(v)
	if err != nil {
		return nil, err
	}
	defer r.close()
	r.prepare(place{transport: v.Transport, deflate: v.Deflate, subscribers: s.Subscribers, channels: s.Subscribers})
	if err := r.idle(b.Warm); err != nil {
		return nil, err
	}
	memory, err := r.hub.processes.memory()
	if err != nil {
		return nil, err
	}
	begin, err := r.usage()
	if err != nil {
		return nil, err
	}
	if err := r.crowd.connect(atATime, connectTimeout); err != nil {
		return nil, err
	}
	took := r.loop.now() - begin.at
	if err := r.idle(afterConnect); err != nil { // what connecting left to do
		return nil, err
	}
	used, err := r.since(begin)
	if err != nil {
		return nil, err
	}
	if err := r.idle(s.Wait - afterConnect); err != nil {
		return nil, err
	}
	after, err := r.hub.processes.memory()
	n := float64(s.Subscribers)
	return &outcome{Checked: r.crowd.checked(), Metrics: []metric{
		{Name: "KiB per connection", Value: float64(after-memory) / 1024 / n, Ratio: true},
		{Name: "server CPU µs per connect", Value: micros(used.cpu) / n, Ratio: true},
		{Name: "connects/s", Value: n / took.Seconds()},
	}}, err
}

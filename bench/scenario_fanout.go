//go:build linux

package main

import (
	"fmt"
	"time"
)

// fanout delivers events of one channel, published at a rate, to many.
type fanout struct {
	Subscribers int           `default:"1000" help:"Connections to one channel (${default})."`
	Rate        int           `default:"50" help:"Events a second (${default})."`
	Size        int           `default:"256" help:"Bytes of an event (${default})."`
	Time        time.Duration `default:"10s" help:"How long (${default})."`
	Store       string        `default:"memory,redis" help:"Stores of runnel (${default})."`
}

func (*fanout) name() string { return "fanout" }

func (s *fanout) title() string {
	return fmt.Sprintf("%d subscribers, %d events/s of %d bytes, %v", s.Subscribers, s.Rate, s.Size, s.Time)
}

func (s *fanout) shorten() { s.Time = 2 * time.Second }

func (s *fanout) variants(b *bench) []variant {
	return b.variants("runnel,ceiling,syscall,nchan,other", "sse,ws", s.Store)
}

func (s *fanout) measure(b *bench, v variant) (*outcome, error) {
	r, err := b.begin(v)
	if err != nil {
		return nil, err
	}
	defer r.close()
	p := place{transport: v.Transport, deflate: v.Deflate, subscribers: s.Subscribers, channels: 1, publishers: 1}
	if err := r.gather(p); err != nil {
		return nil, err
	}
	if err := r.hire(1); err != nil {
		return nil, err
	}
	load := r.steady(s.Rate, s.Size)
	if err := load.publish(b.Warm); err != nil {
		return nil, err
	}
	r.crowd.latency[readerAsUsual] = histogram{}
	begin, err := r.usage()
	if err != nil {
		return nil, err
	}
	if err := load.publish(s.Time); err != nil {
		return nil, err
	}
	used, err := r.since(begin)
	if err != nil {
		return nil, err
	}
	return r.fanned(used)
}

// fanned is the outcome of a fan-out, once everything has come.
func (r *run) fanned(used usage) (*outcome, error) {
	if err := r.settle(); err != nil {
		return nil, err
	}
	latency := &r.crowd.latency[readerAsUsual]
	o := &outcome{Checked: r.crowd.checked(), Metrics: []metric{
		{Name: "deliveries per server-CPU-s", Value: float64(used.counted) / used.cpu.Seconds(), Ratio: true},
		{Name: "server CPU µs each", Value: micros(used.cpu) / float64(used.counted)},
		{Name: "p50 ms", Value: millis(latency.quantile(0.5)), Ratio: true},
		{Name: "p99 ms", Value: millis(latency.quantile(0.99)), Ratio: true},
		{Name: "deliveries/s", Value: float64(used.counted) / used.at.Seconds()},
		{Name: "client cores", Value: used.client.Seconds() / used.at.Seconds()},
	}}
	if r.hub.redis != nil {
		o.Metrics = append(o.Metrics, metric{Name: "Redis CPU µs per event", Value: micros(used.redis) / float64(used.requests)})
	}
	return o, nil
}

// latency is a fan-out to one.
type latency struct {
	Rate int           `default:"20" help:"Events a second (${default})."`
	Size int           `default:"256" help:"Bytes of an event (${default})."`
	Time time.Duration `default:"20s" help:"How long (${default})."`
}

func (*latency) name() string { return "latency" }

func (s *latency) title() string {
	return fmt.Sprintf("one subscriber, %d events/s of %d bytes, %v", s.Rate, s.Size, s.Time)
}

func (s *latency) shorten() { s.Time = 3 * time.Second }

func (s *latency) variants(b *bench) []variant {
	return b.variants("runnel,ceiling,nchan,other", "sse,ws", "memory")
}

func (s *latency) measure(b *bench, v variant) (*outcome, error) {
	one := fanout{Subscribers: 1, Rate: s.Rate, Size: s.Size, Time: s.Time}
	o, err := one.measure(b, v)
	if err != nil {
		return nil, err
	}
	var kept []metric
	for _, m := range o.Metrics {
		if m.Name == "p50 ms" || m.Name == "p99 ms" || m.Name == "server CPU µs each" {
			kept = append(kept, m)
		}
	}
	o.Metrics = kept
	return o, nil
}

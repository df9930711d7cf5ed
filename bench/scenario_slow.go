//go:build linux

package main

import (
	"fmt"
	"time"
)

// slow has some subscribers stop reading for a while, and go on.
type slow struct {
	Subscribers int           `default:"1000" help:"Connections to one channel (${default})."`
	Slow        int           `default:"100" help:"How many of them stop reading (${default})."`
	Buffer      int           `default:"4096" help:"Their receive buffer in bytes, so that the kernel takes little for them (${default})."`
	Rate        int           `default:"100" help:"Events a second (${default})."`
	Size        int           `default:"256" help:"Bytes of an event (${default})."`
	Time        time.Duration `default:"30s" help:"How long they do not read (${default})."`
}

func (*slow) name() string { return "slow" }

func (s *slow) title() string {
	return fmt.Sprintf("%d of %d subscribers do not read for %v at %d events/s of %d bytes, all retained, then go on; the same without slow ones beside it",
		s.Slow, s.Subscribers, s.Time, s.Rate, s.Size)
}

func (s *slow) shorten() { s.Time = 5 * time.Second }

func (s *slow) variants(b *bench) []variant {
	return b.variants("runnel,nchan,other", "sse,ws", "memory")
}

// stall is what one run of slow saw.
type stall struct {
	latency  histogram // of the healthy
	growth   int64     // bytes of memory
	cut      int64
	caughtUp time.Duration
	checked  tally
}

func (s *slow) measure(b *bench, v variant) (*outcome, error) {
	without, err := s.stall(b, v, 0)
	if err != nil {
		return nil, err
	}
	with, err := s.stall(b, v, s.Slow)
	if err != nil {
		return nil, err
	}
	const mib = 1 << 20
	p99 := millis(with.latency.quantile(0.99))
	with.checked.add(&without.checked)
	return &outcome{Checked: with.checked, Metrics: []metric{
		{Name: "cut", Value: float64(with.cut)},
		{Name: "MiB more than without", Value: float64(with.growth-without.growth) / mib},
		{Name: "MiB growth", Value: float64(with.growth) / mib},
		{Name: "p99 ms of the healthy", Value: p99},
		{Name: "× without", Value: p99 / millis(without.latency.quantile(0.99))},
		{Name: "caught up ms", Value: millis(with.caughtUp)},
	}}, nil
}

func (s *slow) stall(b *bench, v variant, slow int) (*stall, error) {
	r, err := b.begin(v)
	if err != nil {
		return nil, err
	}
	defer r.close()
	p := place{transport: v.Transport, subscribers: s.Subscribers, channels: 1, publishers: 1, slow: slow, receive: s.Buffer}
	if err := r.gather(p); err != nil {
		return nil, err
	}
	if err := r.hire(1); err != nil {
		return nil, err
	}
	load := r.steady(s.Rate, s.Size)
	if err := load.publish(2 * b.Warm); err != nil {
		return nil, err
	}
	if err := r.crowd.pause(true); err != nil {
		return nil, err
	}
	r.crowd.latency[readerAsUsual] = histogram{}
	o := &stall{}
	if o.growth, err = s.peak(load); err != nil {
		return nil, err
	}
	o.latency = r.crowd.latency[readerAsUsual]
	begin := r.loop.now()
	if err := r.crowd.pause(false); err != nil {
		return nil, err
	}
	if err := r.settle(); err != nil {
		return nil, err
	}
	o.caughtUp, o.checked = r.loop.now()-begin, r.crowd.checked()
	o.cut = o.checked.Cut
	return o, nil
}

// peak publishes for the time of the stall and returns the growth of the
// hub's memory to its highest.
func (s *slow) peak(load *steady) (int64, error) {
	before, err := load.hub.processes.memory()
	if err != nil {
		return 0, err
	}
	highest := before
	const step = 500 * time.Millisecond
	for at := time.Duration(0); at < s.Time; at += step {
		if err := load.publish(min(step, s.Time-at)); err != nil {
			return 0, err
		}
		now, err := load.hub.processes.memory()
		if err != nil {
			return 0, err
		}
		highest = max(highest, now)
	}
	return highest - before, nil
}

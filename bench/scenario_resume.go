//go:build linux

package main

import (
	"fmt"
	"time"
)

// resume has many clients come back at once, each with events missed.
type resume struct {
	Subscribers int    `default:"2000" help:"Clients that come back at once (${default})."`
	Missed      int    `default:"100" help:"Events that each has missed (${default})."`
	Channels    int    `default:"1" help:"Channels that they are on (${default})."`
	Size        int    `default:"256" help:"Bytes of an event (${default})."`
	Store       string `default:"memory" help:"Stores of runnel (${default}); from redis or bolt they come back to a node started just now."`
}

func (*resume) name() string { return "resume" }

func (s *resume) title() string {
	title := fmt.Sprintf("%d clients come back at once to %d channels, %d missed events of %d bytes each",
		s.Subscribers, s.Channels, s.Missed, s.Size)
	if s.Store != "memory" {
		title += "; from " + s.Store + " to a node started just now"
	}
	return title
}

func (s *resume) shorten() { s.Subscribers, s.Channels = 500, min(s.Channels, 500) }

func (s *resume) variants(b *bench) []variant {
	return b.variants("runnel,ceiling,nchan,other", "sse,ws", s.Store)
}

// stormTimeout is how long everybody may take to have caught up.
const stormTimeout = 60 * time.Second

func (s *resume) measure(b *bench, v variant) (*outcome, error) {
	r, err := b.begin(v)
	if err != nil {
		return nil, err
	}
	defer r.close()
	after, err := s.miss(r)
	if err != nil {
		return nil, err
	}
	if r.hub.restart != nil {
		if err := r.hub.restart(); err != nil {
			return nil, err
		}
	}
	if err := r.idle(b.Warm); err != nil {
		return nil, err
	}
	r.prepare(place{transport: v.Transport, subscribers: s.Subscribers, channels: s.Channels, publishers: 1, after: after, from: 2})
	return s.storm(r)
}

// miss publishes a first event, takes the positions after it, and publishes
// the rest while nobody is there.
func (s *resume) miss(r *run) (after []string, err error) {
	r.hub.positions = true
	if err := r.gather(place{transport: "sse", subscribers: s.Channels, channels: s.Channels, publishers: 1}); err != nil {
		return nil, err
	}
	if err := r.hire(1); err != nil {
		return nil, err
	}
	if err := r.each(s.Channels, 1, s.Size); err != nil {
		return nil, err
	}
	if err := r.settle(); err != nil {
		return nil, err
	}
	for _, reader := range r.crowd.readers {
		after = append(after, reader.position)
	}
	r.crowd.close()
	r.hub.positions = false
	err = r.each(s.Channels, s.Missed, s.Size)
	r.part()
	return after, err
}

// each publishes so many events to every channel.
func (r *run) each(channels, events, size int) error {
	batch := 1
	if r.hub.paths.batch != "" && channels > 1 {
		batch = min(100, channels)
	}
	l := r.rounds(channels, batch, size)
	l.left = int64(channels) * int64(events)
	l.stopped = false
	l.next(0)
	_, err := r.loop.run(r.loop.now()+stormTimeout, func() bool { return r.failed() != nil || l.left == 0 && r.free() })
	if err == nil {
		err = r.failed()
	}
	return err
}

func (s *resume) storm(r *run) (*outcome, error) {
	commands, err := r.commands()
	if err != nil {
		return nil, err
	}
	begin, err := r.usage()
	if err != nil {
		return nil, err
	}
	all, arrived := int64(s.Subscribers*s.Missed), int64(0)
	r.crowd.delivered = func(mark) { arrived++ }
	r.crowd.start(s.Subscribers)
	if _, err := r.loop.run(begin.at+stormTimeout, func() bool { return arrived == all || r.crowd.failed > 0 }); err != nil {
		return nil, err
	}
	used, err := r.since(begin)
	if err != nil {
		return nil, err
	}
	if r.crowd.failed > 0 {
		return nil, fmt.Errorf("%d connections failed: %w", r.crowd.failed, r.crowd.cause)
	}
	metrics := []metric{
		{Name: "all caught up ms", Value: millis(used.at), Ratio: true},
		{Name: "server CPU µs each", Value: micros(used.cpu) / float64(s.Subscribers), Ratio: true},
	}
	if r.hub.redis != nil {
		now, err := r.commands()
		if err != nil {
			return nil, err
		}
		metrics = append(metrics,
			metric{Name: "Redis commands", Value: float64(now - commands - 1)}, // asking is one
			metric{Name: "Redis CPU ms", Value: millis(used.redis)})
	}
	err = r.settle() // what came twice would come now
	return &outcome{Metrics: metrics, Checked: r.crowd.checked()}, err
}

// commands is how many the run's Redis has served; 0 without one.
func (r *run) commands() (int64, error) {
	if r.hub.redis == nil {
		return 0, nil
	}
	return r.hub.redis.commands()
}

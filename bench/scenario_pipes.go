//go:build linux

package main

import (
	"fmt"
	"time"
)

// pipes is many channels with a subscriber each, and connections that publish
// all day: WebSockets, or requests whose lines are answered one by one.
type pipes struct {
	Channels    int           `default:"5000" help:"Channels, a subscriber each (${default})."`
	Connections int           `default:"1" help:"Connections that publish (${default})."`
	By          string        `default:"ws" enum:"ws,ndjson" help:"How: messages of a WebSocket (ws), or lines of a long request (ndjson); ${default}."`
	Window      int           `default:"256" help:"Events under way on each (${default})."`
	Size        int           `default:"256" help:"Bytes of an event (${default})."`
	Time        time.Duration `default:"3s" help:"How long (${default})."`
	Store       string        `default:"memory,redis" help:"Stores of runnel (${default})."`
}

func (*pipes) name() string { return "pipes" }

func (s *pipes) title() string {
	by := map[string]string{"ws": "WebSockets", "ndjson": "publish streams"}[s.By]
	return fmt.Sprintf("%d channels with a subscriber each, published to over %d %s, %d events of %d bytes under way on each, %v",
		s.Channels, s.Connections, by, s.Window, s.Size, s.Time)
}

func (s *pipes) shorten() { s.Channels, s.Time = min(s.Channels, 1000), time.Second }

func (s *pipes) variants(b *bench) []variant { return b.variants("runnel", "sse", s.Store) }

func (s *pipes) measure(b *bench, v variant) (*outcome, error) {
	r, err := b.begin(v)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.gather(place{transport: v.Transport, subscribers: s.Channels, channels: s.Channels, publishers: 1}); err != nil {
		return nil, err
	}
	l := &pipeLoad{run: r, size: s.Size, stopped: true}
	defer l.close()
	if err := l.open(s); err != nil {
		return nil, err
	}
	return r.measured(l, b.Warm, s.Time)
}

// pipeLoad has each pipe go round its own channels, so that every channel's
// events come over one connection, in order.
type pipeLoad struct {
	*run
	pipes   []*pipe
	turn    []int // the channel each is at
	size    int
	events  int64
	stopped bool
	data    []byte
}

func (l *pipeLoad) open(s *pipes) error {
	for i := range s.Connections {
		d, err := dialects(s.By)
		if err != nil {
			return err
		}
		p, err := newPipe(l.loop, l.hub, d, s.Window)
		if err != nil {
			return err
		}
		p.fill = func() { l.fill(i, s.Channels) }
		l.pipes, l.turn = append(l.pipes, p), append(l.turn, i)
	}
	return l.await(func(p *pipe) bool { return p.open })
}

// await serves the sockets until that holds for all pipes.
func (l *pipeLoad) await(holds func(*pipe) bool) error {
	all := func() bool {
		for _, p := range l.pipes {
			if p.err == nil && !holds(p) {
				return false
			}
		}
		return true
	}
	if _, err := l.loop.run(l.loop.now()+settleTimeout, all); err != nil {
		return err
	}
	for _, p := range l.pipes {
		if p.err != nil {
			return fmt.Errorf("pipe: %w", p.err)
		}
	}
	if !all() {
		return fmt.Errorf("no answer after %v", settleTimeout)
	}
	return nil
}

func (l *pipeLoad) fill(at, channels int) {
	p := l.pipes[at]
	for !l.stopped && p.room() {
		channel := l.turn[at]
		if l.turn[at] += len(l.pipes); l.turn[at] >= channels {
			l.turn[at] = at
		}
		l.data = appendEvent(l.data[:0], mark{channel, l.number(channel), l.loop.now()}, l.size)
		p.send(channelName(channel), l.data)
		l.events++
	}
	p.flush()
}

func (l *pipeLoad) publish(d time.Duration) error {
	l.stopped = false
	for _, p := range l.pipes {
		p.fill()
	}
	if _, err := l.loop.run(l.loop.now()+d, nil); err != nil {
		return err
	}
	l.stopped = true
	if err := l.await(func(p *pipe) bool { return len(p.under) == 0 }); err != nil {
		return err
	}
	return l.settle()
}

func (l *pipeLoad) published() int64 { return l.events }

func (l *pipeLoad) latencies() (all []*histogram) {
	for _, p := range l.pipes {
		all = append(all, &p.latency)
	}
	return all
}

func (l *pipeLoad) close() {
	for _, p := range l.pipes {
		p.end(errCut)
	}
}

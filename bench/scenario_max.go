//go:build linux

package main

import (
	"fmt"
	"time"
)

// maximum delivers as fast as it goes: there are always so many events on
// their way.
type maximum struct {
	Subscribers int           `default:"1000" help:"Connections to one channel (${default})."`
	Publishers  int           `default:"1" help:"Connections that publish (${default})."`
	Outstanding int           `default:"8" help:"Events published and not yet with every subscriber (${default})."`
	Size        int           `default:"256" help:"Bytes of an event (${default})."`
	Time        time.Duration `default:"5s" help:"How long (${default})."`
	Store       string        `default:"memory" help:"Stores of runnel (${default})."`
}

func (*maximum) name() string { return "max" }

func (s *maximum) title() string {
	return fmt.Sprintf("%d subscribers, %d publishers, %d events of %d bytes outstanding, %v",
		s.Subscribers, s.Publishers, s.Outstanding, s.Size, s.Time)
}

func (s *maximum) shorten() { s.Time = time.Second }

func (s *maximum) variants(b *bench) []variant {
	return b.variants("runnel,ceiling,syscall,nchan,other", "sse,ws", s.Store)
}

func (s *maximum) measure(b *bench, v variant) (*outcome, error) {
	r, err := b.begin(v)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.gather(place{transport: v.Transport, subscribers: s.Subscribers, channels: 1, publishers: s.Publishers}); err != nil {
		return nil, err
	}
	if err := r.hire(s.Publishers); err != nil {
		return nil, err
	}
	load := r.flood(s.Outstanding, s.Size)
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
	load.stopped = true
	return r.fanned(used)
}

// flood keeps a number of events on their way to all subscribers of one
// channel.
type flood struct {
	*run
	limit   int
	size    int
	flying  int
	seen    [][]int // subscribers that have an event, by source and number modulo limit+1
	stopped bool
	data    []byte
}

func (r *run) flood(limit, size int) *flood {
	f := &flood{run: r, limit: limit, size: size}
	for range r.publishers {
		f.seen = append(f.seen, make([]int, limit+1))
	}
	r.crowd.delivered = f.delivered
	for _, p := range r.publishers {
		p.done = f.next
	}
	return f
}

func (f *flood) publish(d time.Duration) error {
	f.next()
	if _, err := f.loop.run(f.loop.now()+d, nil); err != nil {
		return err
	}
	return f.failed()
}

func (f *flood) delivered(m mark) {
	seen := &f.seen[m.source][int(m.number)%(f.limit+1)]
	if *seen++; *seen == len(f.crowd.readers) {
		*seen = 0
		f.flying--
		f.next()
	}
}

// next has the publishers that are free publish as long as there is room.
func (f *flood) next() {
	for source, p := range f.publishers {
		if f.stopped || f.flying >= f.limit {
			return
		}
		if p.busy {
			continue
		}
		f.flying++
		f.data = appendEvent(f.data[:0], mark{source, f.number(source), f.loop.now()}, f.size)
		p.buf = f.hub.appendPublish(p.buf[:0], channelName(0), f.data)
		p.send(p.buf)
	}
}

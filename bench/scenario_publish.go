//go:build linux

package main

import (
	"fmt"
	"math"
	"time"
)

// publishing is many channels with a subscriber each, and publishers that send
// the next request when the last is answered.
type publishing struct {
	Channels   int           `default:"${channels}" help:"Channels, a subscriber each (${default})."`
	Publishers int           `default:"${publishers}" help:"Connections that publish, one request at a time (${default})."`
	Batch      int           `default:"${batch}" help:"Events in a request (${default})."`
	Size       int           `default:"256" help:"Bytes of an event (${default})."`
	Time       time.Duration `default:"5s" help:"How long (${default})."`
	Store      string        `default:"${stores}" help:"Stores of runnel (${default})."`
}

func (s *publishing) title() string {
	what := "one request per event"
	if s.Batch > 1 {
		what = fmt.Sprintf("batches of %d", s.Batch)
	}
	return fmt.Sprintf("%d channels with a subscriber each, %d publishers, %s of %d bytes, %v",
		s.Channels, s.Publishers, what, s.Size, s.Time)
}

func (s *publishing) shorten() { s.Channels, s.Time = min(s.Channels, 1000), time.Second }

// channels, batches and bolt are the same with other numbers.
type (
	channels struct{ publishing }
	batches  struct{ publishing }
	bolt     struct{ publishing }
)

func (*channels) name() string { return "channels" }
func (*batches) name() string  { return "batches" }
func (*bolt) name() string     { return "bolt" }

func (s *channels) variants(b *bench) []variant {
	return b.variants("runnel,ceiling,nchan,other", "sse,ws", s.Store)
}

func (s *batches) variants(b *bench) []variant {
	return b.variants("runnel,ceiling", "sse,ws", s.Store)
}

func (s *bolt) variants(b *bench) []variant {
	return b.variants("runnel,other", "sse", s.Store)
}

func (s *publishing) measure(b *bench, v variant) (*outcome, error) {
	if s.Channels < s.Publishers {
		return nil, fmt.Errorf("%d publishers need as many --channels: each has its own, for the order", s.Publishers)
	}
	r, err := b.begin(v)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.gather(place{transport: v.Transport, subscribers: s.Channels, channels: s.Channels, publishers: 1}); err != nil {
		return nil, err
	}
	if err := r.hire(s.Publishers); err != nil {
		return nil, err
	}
	return r.measured(r.rounds(s.Channels, s.Batch, s.Size), b.Warm, s.Time)
}

// rounds has each publisher go round its own channels, so that every
// channel's events come from one connection, in order.
type rounds struct {
	*run
	batch, size int
	channels    []string
	turn        []int // the channel each publisher is at
	events      int64
	stopped     bool
	left        int64 // events until it stops by itself
	body        []byte
}

func (r *run) rounds(channels, batch, size int) *rounds {
	l := &rounds{run: r, batch: batch, size: size, stopped: true, left: math.MaxInt64}
	for i := range channels {
		l.channels = append(l.channels, channelName(i))
	}
	for i, p := range r.publishers {
		l.turn = append(l.turn, i%channels)
		p.done = func() { l.next(i) }
	}
	return l
}

func (l *rounds) publish(d time.Duration) error {
	l.stopped = false
	for i := range l.publishers {
		l.next(i)
	}
	if _, err := l.loop.run(l.loop.now()+d, nil); err != nil {
		return err
	}
	l.stopped = true
	return l.settle()
}

func (l *rounds) published() int64 { return l.events }

func (l *rounds) latencies() (all []*histogram) {
	for _, p := range l.publishers {
		all = append(all, &p.latency)
	}
	return all
}

func (l *rounds) next(publisher int) {
	p := l.publishers[publisher]
	if l.stopped || p.busy || l.left == 0 {
		return
	}
	batch := int(min(int64(l.batch), l.left))
	l.body = l.body[:0]
	if l.batch == 1 {
		channel := l.step(publisher)
		l.body = appendEvent(l.body, l.mark(channel), l.size)
		p.buf = l.hub.appendPublish(p.buf[:0], l.channels[channel], l.body)
	} else {
		for range batch {
			channel := l.step(publisher)
			l.body = appendItem(l.body, l.channels[channel], l.mark(channel), l.size)
		}
		p.buf = l.hub.appendBatch(p.buf[:0], l.body)
	}
	l.events += int64(batch)
	l.left -= int64(batch)
	p.send(p.buf)
}

func (l *rounds) mark(channel int) mark { return mark{channel, l.number(channel), l.loop.now()} }

// step goes on to the publisher's next channel: every so manyth is its own.
func (l *rounds) step(publisher int) int {
	at := l.turn[publisher]
	next := at + len(l.publishers)
	if next >= len(l.channels) {
		next = publisher % len(l.channels)
	}
	l.turn[publisher] = next
	return at
}

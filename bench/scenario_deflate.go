//go:build linux

package main

import (
	"fmt"
	"time"
)

// deflate is a fan-out to WebSockets with permessage-deflate, and without.
type deflate struct {
	Subscribers int           `default:"1000" help:"Connections to one channel (${default})."`
	Rate        int           `default:"50" help:"Events a second (${default})."`
	Size        int           `default:"2048" help:"Bytes of an event (${default})."`
	Time        time.Duration `default:"10s" help:"How long (${default})."`
}

func (*deflate) name() string { return "deflate" }

func (s *deflate) title() string {
	return fmt.Sprintf("%d WebSockets with permessage-deflate and without, %d events/s of %d bytes of JSON, %v",
		s.Subscribers, s.Rate, s.Size, s.Time)
}

func (s *deflate) shorten() { s.Time = 2 * time.Second }

func (s *deflate) variants(b *bench) []variant {
	return append(deflated(b), b.variants("runnel,nchan,ceiling", "ws", "memory")...)
}

// deflated are the variants whose WebSockets are compressed.
func deflated(b *bench) []variant {
	all := b.variants("runnel,nchan", "ws", "memory")
	for i := range all {
		all[i].Deflate = true
	}
	return all
}

func (s *deflate) measure(b *bench, v variant) (*outcome, error) {
	f := fanout{Subscribers: s.Subscribers, Rate: s.Rate, Size: s.Size, Time: s.Time}
	return f.measure(b, v)
}

package streamstest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"runnel/streams"
)

var shareTests = map[string]func(fixture){
	"shares":         fixture.testShares,
	"shares/givenUp": fixture.testSharesGivenUp,
}

// testShares has batches for many channels at once: each share has its own
// results, in order, and each publisher's shares keep their order in a channel.
func (f fixture) testShares() {
	const publishers, rounds, channels = 4, 10, 30
	b := f.broker(streams.BrokerOptions{})
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			for round := range rounds {
				f.publishShares(b, p, round, channels)
			}
		})
	}
	all.Wait()
	for c := range channels {
		page := f.page(fmt.Sprint("c", c), whole)
		var next [publishers]int
		for _, e := range page.Events {
			var p, n int
			if _, err := fmt.Sscanf(string(e.Data), "%d/%d", &p, &n); err != nil || n != next[p] {
				f.Fatalf("%q where %d/%d was due, %v", e.Data, p, next[p], err)
			}
			next[p]++
		}
		if len(page.Events) != publishers*rounds*2 {
			f.Errorf("channel %d has %d events", c, len(page.Events))
		}
	}
}

// publishShares publishes two drafts to each channel, and one that reuses a key.
func (f fixture) publishShares(b *streams.Broker, publisher, round, channels int) {
	data := func(i int) streams.Draft { return text(fmt.Sprintf("%d/%d", publisher, 2*round+i)) }
	shares := make([]*streams.Share, channels)
	for c := range shares {
		once, reused := data(0), text("another")
		once.Key = fmt.Sprint("k", publisher, round)
		reused.Key = once.Key
		shares[c] = &streams.Share{Channel: fmt.Sprint("c", c), Drafts: []streams.Draft{once, reused, data(1)}}
	}
	b.PublishShares(f.ctx, shares)
	for _, s := range shares {
		if s.Err != nil || len(s.Results) != 3 {
			f.Errorf("%s: %d results, %v", s.Channel, len(s.Results), s.Err)
			continue
		}
		if r := s.Results; r[0].Err != nil || !errors.Is(r[1].Err, streams.ErrKeyReused) || r[2].Err != nil || !r[0].ID.Less(r[2].ID) {
			f.Errorf("%s: %+v", s.Channel, r)
		}
	}
}

// testSharesGivenUp: nobody appends for those who do not wait.
func (f fixture) testSharesGivenUp() {
	b := f.broker(streams.BrokerOptions{})
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	shares := []*streams.Share{{Channel: "a", Drafts: []streams.Draft{text("1")}}, {Channel: "b", Drafts: []streams.Draft{text("1")}}}
	b.PublishShares(ctx, shares)
	for _, s := range shares {
		if !errors.Is(s.Err, streams.ErrUnavailable) || s.Results != nil {
			f.Errorf("%s: %v, %v", s.Channel, s.Results, s.Err)
		}
		if n := len(f.page(s.Channel, whole).Events); n != 0 {
			f.Errorf("%s has %d events", s.Channel, n)
		}
	}
}

package streamstest

import (
	"fmt"
	"sync"

	"runnel/streams"
)

var liveTests = map[string]func(fixture){
	"live/delivery": testLive,
	"live/many":     testLiveMany,
	"live/shared":   testLiveShared,
}

func testLive(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	r := f.subscribe(b, "a", streams.Now())
	if base := f.head("a").Base; r.at != base {
		f.Fatalf("begins at %v, the base is %v", r.at, base)
	}
	f.settles(r)
	for i := range 100 {
		f.publish(b, "a", fmt.Sprint(i))
		f.readsEvents(r, i+1)
	}
	ids := f.publish(b, "a", numbers(100, 200)...)
	f.reads(r, ids[99])
	f.read(r, numbers(0, 200)...)
	f.noGap(r)
}

// testLiveMany has several channels with several readers each; everybody gets
// what is theirs.
func testLiveMany(f fixture) {
	const channels, each, events = 5, 4, 60
	b := f.broker(streams.BrokerOptions{})
	readers := map[string][]*reader{}
	for c := range channels {
		name := fmt.Sprint("a:", c)
		for range each {
			readers[name] = append(readers[name], f.subscribe(b, name, streams.Now()))
		}
	}
	var publishing sync.WaitGroup
	for name := range readers {
		publishing.Go(func() {
			for i := range events {
				f.publish(b, name, fmt.Sprint(name, " ", i))
			}
		})
	}
	for name, all := range readers {
		var want []string
		for i := range events {
			want = append(want, fmt.Sprint(name, " ", i))
		}
		for _, r := range all {
			f.readsEvents(r, events)
			f.read(r, want...)
			f.noGap(r)
		}
	}
	publishing.Wait()
	if s := b.Stats(); s.Channels != channels || s.Subscriptions != channels*each || s.Published != channels*events {
		f.Fatalf("%+v", s)
	}
}

// testLiveShared: what is delivered to many is one event, encoded once.
func testLiveShared(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	one, other := f.subscribe(b, "a", streams.Now()), f.subscribe(b, "a", streams.Now())
	f.publish(b, "a", "1")
	f.readsEvents(one, 1)
	f.readsEvents(other, 1)
	if one.events[0] != other.events[0] {
		f.Fatalf("two events for one")
	}
}

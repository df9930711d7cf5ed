package streamstest

import (
	"fmt"

	"runnel/streams"
)

var lookTests = map[string]func(fixture){
	"look/channels are paged by name":       testLookPages,
	"look/readers and how far they are":     testLookReaders,
	"look/many readers come and go":         testLookManyReaders,
	"look/what the log retains":             testLookRetained,
	"look/a channel that nobody reads here": testLookUnread,
}

func testLookPages(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	for i := range 5 {
		f.subscribe(b, fmt.Sprint("a:", i), streams.Now())
		f.subscribe(b, fmt.Sprint("b:", i), streams.Now())
	}
	var names []string
	for after, more := "", true; more; after = names[len(names)-1] {
		var page []streams.ChannelState
		page, more = b.Channels("b:", after, 2)
		for _, c := range page {
			names = append(names, c.Name)
		}
		if len(page) > 2 || len(page) == 0 {
			f.Fatalf("a page has %d", len(page))
		}
	}
	if got, want := fmt.Sprint(names), "[b:0 b:1 b:2 b:3 b:4]"; got != want {
		f.Errorf("%s, want %s", got, want)
	}
	if all, more := b.Channels("", "", 10); len(all) != 10 || more {
		f.Errorf("%d channels, more %v", len(all), more)
	}
}

func testLookReaders(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	quick, slow := f.subscribe(b, "a", streams.Now()), f.subscribe(b, "a", streams.Now())
	ids := f.publish(b, "a", "1", "2", "3")
	f.readsEvents(quick, 3)
	f.eventually("the node heard of all", func() bool {
		c, ok := b.Channel("a")
		return ok && c.Last == ids[2]
	})
	slow.bytes = 1
	if _, err := slow.take(); err != nil {
		f.Fatal(err)
	}
	readers, more := b.Readers("a", 10)
	behind := map[streams.ID]uint64{}
	for _, r := range readers {
		behind[r.Position] = r.Behind
	}
	if len(readers) != 2 || more || behind[ids[2]] != 0 || behind[ids[0]] != 2 {
		f.Errorf("readers %+v, more %v", readers, more)
	}
	if c, _ := b.Channel("a"); c.Readers != 2 || c.Behind != 2 || c.Events != 3 || c.Bytes == 0 || b.Lag() != 2 {
		f.Errorf("%+v, lag %d", c, b.Lag())
	}
	f.readsEvents(slow, 3)
	if b.Lag() != 0 {
		f.Errorf("lag %d when all have read all", b.Lag())
	}
}

// testLookManyReaders: a list that is looked at piece by piece has them all.
func testLookManyReaders(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	const n = 1500
	open := make([]*reader, n)
	for i := range open {
		open[i] = f.subscribe(b, "a", streams.Now())
	}
	if readers, more := b.Readers("a", n-1); len(readers) != n-1 || !more {
		f.Errorf("%d readers of %d, more %v", len(readers), n, more)
	}
	seen := func() map[streams.Waiter]bool {
		waiters := map[streams.Waiter]bool{}
		readers, _ := b.Readers("a", 2*n)
		for _, r := range readers {
			waiters[r.Waiter] = true
		}
		return waiters
	}
	if got := len(seen()); got != n {
		f.Errorf("%d readers, want %d", got, n)
	}
	for i, r := range open {
		if i%7 != 0 {
			r.sub.Close()
			r.sub.Close()
		}
	}
	if got, want := len(seen()), (n+6)/7; got != want {
		f.Errorf("%d readers are left, want %d", got, want)
	}
}

func testLookRetained(f fixture) {
	b := f.broker(streams.BrokerOptions{Retention: func(string) streams.Retention {
		return streams.Retention{Count: 1000, Age: plenty.Age}
	}})
	r, err := b.Retained(f.ctx, "a")
	if err != nil || r.Events() != 0 || !r.First.IsZero() || r.Last != r.Base || r.Base.IsZero() {
		f.Fatalf("an empty channel: %+v, %v", r, err)
	}
	ids := f.publish(b, "a", "1", "2", "3")
	r, err = b.Retained(f.ctx, "a")
	if err != nil || r.Events() != 3 || r.First != ids[0] || r.Last != ids[2] {
		f.Errorf("%+v, %v; published %v", r, err, ids)
	}
}

func testLookUnread(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	if c, ok := b.Channel("a"); ok {
		f.Errorf("followed: %+v", c)
	}
	if readers, more := b.Readers("a", 1); len(readers) > 0 || more || b.Lag() != 0 {
		f.Errorf("%v", readers)
	}
}

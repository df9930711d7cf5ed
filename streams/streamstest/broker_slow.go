package streamstest

import (
	"math/rand/v2"
	"strings"

	"runnel/streams"
)

var slowTests = map[string]func(fixture){
	"slow/byte by byte": testSlow,
	"slow/undo":         testUndo,
	"slow/undone gap":   testUndoneGap,
}

// testSlow has readers that take next to nothing at a time, beside one that
// keeps up.
func testSlow(f fixture) {
	const events = 500
	b := f.broker(streams.BrokerOptions{TailEvents: 50})
	quick := f.subscribe(b, "a", streams.Now())
	var slow []*reader
	for _, bytes := range []int{1, 250, 1000} {
		r := f.subscribe(b, "a", streams.Now())
		r.bytes = bytes
		slow = append(slow, r)
	}
	last := quick.at
	for i := range events {
		last = f.publish(b, "a", strings.Repeat("x", i))[0]
		for _, r := range slow {
			if i%7 == 0 {
				if _, err := r.take(); err != nil {
					f.Fatalf("%v", err)
				}
			}
		}
	}
	for _, r := range append(slow, quick) {
		f.reads(r, last)
		f.noGap(r)
		if len(r.events) != events {
			f.Fatalf("%d events of %d", len(r.events), events)
		}
	}
}

// testUndo takes batches back at random, all of one or its end: what was taken
// back comes again, the same.
func testUndo(f fixture) {
	const events = 300
	b := f.broker(streams.BrokerOptions{TailEvents: 60})
	r := f.subscribe(b, "a", streams.Now())
	published := f.publish(b, "a", numbers(0, 100)...)
	undone := 0
	err := r.until(func() bool {
		atEnd := len(r.events) == len(published)
		if len(published) < events && (atEnd || rand.N(3) == 0) {
			published = append(published, f.publish(b, "a", numbers(len(published), len(published)+10)...)...)
		}
		if n := len(r.events); n > 0 && undone < 200 && rand.N(3) == 0 {
			undone++
			keep := n - 1 - rand.N(min(n, 20))
			r.events = r.events[:keep+1]
			r.at = r.events[keep].ID
			r.sub.Seek(r.at, nil)
		}
		r.bytes = 1 + rand.N(5000)
		return len(r.events) == events
	})
	if err != nil {
		f.Fatalf("%v", err)
	}
	f.read(r, numbers(0, events)...)
	f.noGap(r)
	if undone == 0 {
		f.Fatalf("nothing was undone")
	}
}

// testUndoneGap takes back a gap: it is told again, and what follows it too.
func testUndoneGap(f fixture) {
	keep := streams.Retention{Count: 10, Age: plenty.Age}
	b := f.broker(streams.BrokerOptions{Retention: func(string) streams.Retention { return keep }})
	base := f.head("a").Base
	f.publish(b, "a", numbers(0, 10+slack+50)...)
	r := f.subscribe(b, "a", streams.After(base))
	want := f.readsGap(r)
	for range 3 {
		f.settles(r)
		first, after := r.events, r.at
		r.sub.Seek(base, &want)
		r.events, r.gaps, r.at = nil, nil, want.Last
		if p := r.sub.Position(); p != want.Last {
			f.Fatalf("the position is %v", p)
		}
		var batch streams.Batch
		f.eventually("the gap again, with what follows it", func() bool {
			batch = r.sub.Next(nil, r.bytes)
			return batch.Gap != nil
		})
		if *batch.Gap != want || len(batch.Events) == 0 || batch.Events[0].ID != want.Resumed {
			f.Fatalf("%+v, then %d events, want %+v", batch.Gap, len(batch.Events), want)
		}
		r.events, r.at = batch.Events, batch.Position
		f.reads(r, after)
		f.noGap(r)
		if len(r.events) != len(first) || len(first) == 0 {
			f.Fatalf("%d events, then %d", len(first), len(r.events))
		}
	}
}

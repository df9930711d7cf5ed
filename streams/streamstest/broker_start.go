package streamstest

import (
	"fmt"
	"strings"
	"time"

	"runnel/streams"
)

var startTests = map[string]func(fixture){
	"start/now":          testNow,
	"start/earliest":     testEarliest,
	"start/since":        testSince,
	"start/since gone":   testSinceGone,
	"start/rewind":       testRewind,
	"start/rewind large": testRewindLarge,
}

// starts subscribes, reads to the end and returns what was read.
func (f fixture) starts(b *streams.Broker, start streams.Start) *reader {
	f.Helper()
	r := f.subscribe(b, "a", start)
	f.settles(r)
	return r
}

// trimmed fills the channel until its first events are gone, and returns all
// that was published.
func (f fixture) trimmed() (published []streams.ID) {
	f.Helper()
	few := streams.Retention{Count: 10, Age: time.Hour}
	for i := range 10 + slack + 50 {
		published = append(published, f.append("a", few, text(fmt.Sprint(i)))[0].ID)
	}
	if first := f.history("a")[0].ID; first == published[0] {
		f.Fatalf("nothing is gone")
	}
	return published
}

func testNow(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	ids := f.publish(b, "a", "1", "2")
	r := f.starts(b, streams.Now())
	if len(r.events) > 0 || r.at != ids[1] {
		f.Fatalf("%d events, the position is %v", len(r.events), r.at)
	}
	f.publish(b, "a", "3")
	f.readsEvents(r, 1)
	f.read(r, "3")
	f.noGap(r)
}

func testEarliest(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	empty := f.starts(b, streams.Earliest())
	if base := f.head("a").Base; len(empty.events) > 0 || empty.at != base {
		f.Fatalf("%d events, at %v", len(empty.events), empty.at)
	}
	f.trimmed()
	r, kept := f.subscribe(b, "a", streams.Earliest()), f.history("a")
	f.readsEvents(r, len(kept)) // what was appended last may come live
	f.noGap(r)
	f.checkEvents(kept, r.events)
}

// testSince: by the log's clock, with events that share a millisecond.
func testSince(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	var ids []streams.ID
	f.eventually("some milliseconds", func() bool {
		ids = append(ids, f.publish(b, "a", "x", "y")...)
		return ids[len(ids)-1].Ms > ids[0].Ms+5
	})
	times := []time.Time{time.UnixMilli(1), ids[0].Time(), ids[len(ids)-1].Time().Add(time.Hour)}
	for _, id := range ids {
		times = append(times, id.Time(), id.Time().Add(time.Millisecond))
	}
	for _, at := range times {
		want := 0
		for _, id := range ids {
			if !id.Time().Before(at) {
				want++
			}
		}
		r := f.starts(b, streams.Since(at))
		f.noGap(r)
		if len(r.events) != want || r.at != ids[len(ids)-1] {
			f.Fatalf("since %v %d events of %d, want %d", at, len(r.events), len(ids), want)
		}
	}
}

func testSinceGone(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	published := f.trimmed()
	kept := f.history("a")
	want := streams.Gap{
		Channel: "a", Last: kept[0].Prev, Resumed: kept[0].ID,
		Missed: streams.MissedUnknown, Reason: streams.Trimmed,
	}
	for _, at := range []time.Time{time.UnixMilli(1), published[0].Time(), kept[0].Prev.Time()} {
		r := f.starts(b, streams.Since(at))
		if len(r.gaps) != 1 || r.gaps[0] != want || len(r.events) != len(kept) {
			f.Fatalf("since %v %d events and %+v, want %+v", at, len(r.events), r.gaps, want)
		}
	}
	last := kept[len(kept)-1].ID
	r := f.starts(b, streams.Since(last.Time().Add(time.Millisecond)))
	f.noGap(r)
	if len(r.events) > 0 || r.at != last {
		f.Fatalf("%d events, at %v", len(r.events), r.at)
	}
}

func testRewind(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	if r := f.starts(b, streams.Rewind(3)); r.at != f.head("a").Base || len(r.events) > 0 {
		f.Fatalf("%d events, at %v", len(r.events), r.at)
	}
	last := f.publish(b, "a", numbers(0, 20)...)[19]
	f.eventually("the node to hear of it", func() bool {
		c, followed := b.Channel("a")
		return !followed || c.Last == last
	})
	for _, n := range []int{1, 7, 19, 20, 21, 1000} {
		r := f.starts(b, streams.Rewind(n))
		f.noGap(r)
		f.read(r, numbers(max(0, 20-n), 20)...)
	}
	f.trimmed()
	var kept []string
	for _, e := range f.history("a") {
		kept = append(kept, string(e.Data))
	}
	r := f.starts(b, streams.Rewind(len(kept)+1))
	f.reads(r, f.head("a").Last) // the last ones may still be on their way to this node
	f.noGap(r)
	f.read(r, kept...)
}

// testRewindLarge: however many bytes they are.
func testRewindLarge(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	large := strings.Repeat("x", 60<<10)
	for range 100 {
		f.publish(b, "a", large)
	}
	for _, n := range []int{1, 99, 100} {
		if r := f.starts(b, streams.Rewind(n)); len(r.events) != n {
			f.Fatalf("%d events of %d", len(r.events), n)
		}
	}
}

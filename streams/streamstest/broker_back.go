package streamstest

import (
	"slices"
	"strings"

	"runnel/streams"
)

var backTests = map[string]func(fixture){
	"back/walk":    testBackWalk,
	"back/bytes":   testBackBytes,
	"back/empty":   testBackEmpty,
	"back/trimmed": testBackTrimmed,
	"back/lost":    testBackLost,
}

func (f fixture) before(b *streams.Broker, position streams.ID, events, bytes int) streams.Back {
	f.Helper()
	back, err := b.Before(f.ctx, "a", position, events, bytes)
	if err != nil {
		f.Fatalf("Before: %v", err)
	}
	return back
}

// walkBack reads page by page to the oldest event, and checks that each page
// says where to go on in both directions.
func (f fixture) walkBack(b *streams.Broker, events, bytes int) (all []*streams.Event) {
	f.Helper()
	var position streams.ID
	for more := true; more; {
		page := f.before(b, position, events, bytes)
		n := len(page.Events)
		if n == 0 || n > events || page.Gap != nil || page.Position != page.Events[n-1].ID {
			f.Fatalf("before %v %d events, more %v, gap %+v, position %v", position, n, page.More, page.Gap, page.Position)
		}
		all = append(slices.Clone(page.Events), all...)
		position, more = page.Events[0].ID, page.More
	}
	return all
}

func testBackWalk(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	f.publish(b, "a", numbers(0, 50)...)
	kept := f.history("a")
	for _, events := range []int{1, 7, 49, 50, 51} {
		all := f.walkBack(b, events, 1<<20)
		if len(all) != len(kept) {
			f.Fatalf("%d events in pages of %d", len(all), events)
		}
		f.checkEvents(kept, all)
	}
	r := f.subscribe(b, "a", streams.After(f.before(b, streams.ID{}, 10, 1<<20).Position))
	f.settles(r)
	f.read(r)
	f.noGap(r)
}

// testBackBytes: a page is never empty because of its bounds.
func testBackBytes(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	for i := range 20 {
		f.publish(b, "a", strings.Repeat("x", i%3*3000))
	}
	for _, bytes := range []int{1, 250, 3300, 10_000} {
		if all := f.walkBack(b, 10, bytes); len(all) != 20 {
			f.Fatalf("%d events in pages of %d bytes", len(all), bytes)
		}
	}
}

func testBackEmpty(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	base := f.head("a").Base
	for _, position := range []streams.ID{{}, base} {
		page := f.before(b, position, 10, 1000)
		if len(page.Events) > 0 || page.Gap != nil || page.More || page.Position != base {
			f.Fatalf("%+v", page)
		}
	}
	first := f.publish(b, "a", "1")[0]
	if page := f.before(b, first, 10, 1000); len(page.Events) > 0 || page.Gap != nil || page.More || page.Position != base {
		f.Fatalf("%+v", page)
	}
}

func testBackTrimmed(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	published := f.trimmed()
	kept := f.history("a")
	if all := f.walkBack(b, 13, 1<<20); len(all) != len(kept) {
		f.Fatalf("%d events of %d", len(all), len(kept))
	}
	for _, position := range []streams.ID{published[0], kept[0].Prev, kept[0].ID} {
		if page := f.before(b, position, 10, 1<<20); len(page.Events) > 0 || page.Gap != nil || page.More {
			f.Fatalf("before %v: %+v", position, page)
		}
	}
}

// testBackLost asks for what stood before a position that the log does not
// know.
func testBackLost(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	last := f.publish(b, "a", "1", "2", "3")[2]
	lost := streams.ID{Ms: last.Ms + 1000, N: 9}
	page := f.before(b, lost, 2, 1<<20)
	want := streams.Gap{Channel: "a", After: last, Last: lost, Missed: streams.MissedUnknown, Reason: streams.Rollback}
	if len(page.Events) != 2 || !page.More || page.Position != last || page.Gap == nil || *page.Gap != want {
		f.Fatalf("%+v, gap %+v", page, page.Gap)
	}
}

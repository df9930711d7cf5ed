package streamstest

import (
	"slices"
	"strings"

	"runnel/streams"
)

var rangeTests = map[string]func(fixture){
	"range/positions": testPositions,
	"range/bytes":     testBytes,
	"range/walk":      testWalk,
	"range/empty":     testEmptyPages,
}

// checkPage fails unless the page is what the query has to return from a
// channel that retains kept.
func (f fixture) checkPage(kept []*streams.Event, head streams.Head, q streams.Query, page streams.Page) {
	f.Helper()
	split, _ := slices.BinarySearchFunc(kept, q.From, func(e *streams.Event, id streams.ID) int { return e.ID.Compare(id) })
	below, candidates := kept[:split], kept[split:]
	if q.Backward {
		candidates = below
		if q.From.IsZero() {
			candidates = kept
		}
		candidates = slices.Clone(candidates)
		slices.Reverse(candidates)
		page.Events = slices.Clone(page.Events)
		slices.Reverse(page.Events)
	}
	if page.Head != head {
		f.Fatalf("head %+v, want %+v", page.Head, head)
	}
	if !q.Backward {
		f.checkBelow(below, q, page)
	}
	f.checkEvents(candidates, page.Events)
	f.checkLimits(candidates, q, page)
}

// checkBelow lets a page that follows directly leave out what is below.
func (f fixture) checkBelow(below []*streams.Event, q streams.Query, page streams.Page) {
	f.Helper()
	var want streams.ID
	if len(below) > 0 {
		want = below[len(below)-1].ID
	}
	direct := len(page.Events) > 0 && q.From.N > 0 && page.Events[0].Prev == streams.ID{Ms: q.From.Ms, N: q.From.N - 1}
	if page.Below != want && !(direct && page.Below.IsZero()) {
		f.Fatalf("below is %v, want %v", page.Below, want)
	}
}

func (f fixture) checkEvents(candidates, got []*streams.Event) {
	f.Helper()
	if len(got) > len(candidates) {
		f.Fatalf("%d events where there are %d", len(got), len(candidates))
	}
	for i, e := range got {
		if want := candidates[i]; e.ID != want.ID || e.Prev != want.Prev || string(e.Data) != string(want.Data) {
			f.Fatalf("event %d of the page is %v after %v, want %v after %v", i, e.ID, e.Prev, want.ID, want.Prev)
		}
	}
}

// checkLimits allows a page to end before or after the event that passes the
// limit in bytes, not elsewhere.
func (f fixture) checkLimits(candidates []*streams.Event, q streams.Query, page streams.Page) {
	f.Helper()
	n := len(page.Events)
	if page.More != (n < len(candidates)) {
		f.Fatalf("more is %v after %d of %d events", page.More, n, len(candidates))
	}
	if n == 0 && len(candidates) > 0 || n > q.Events {
		f.Fatalf("%d events of %d, asked for %d", n, len(candidates), q.Events)
	}
	size := 0
	for i, e := range page.Events {
		if size > q.Bytes {
			f.Fatalf("%d events before event %d of %d have %d bytes, asked for %d", i, i, n, size, q.Bytes)
		}
		size += e.Size()
	}
	if page.More && n < q.Events && size+candidates[n].Size() <= q.Bytes {
		f.Fatalf("the page ended after %d events of %d, %d bytes of %d", n, q.Events, size, q.Bytes)
	}
}

// positions are all places around the events that a query can begin at.
func positions(head streams.Head, events []*streams.Event) []streams.ID {
	at := []streams.ID{{}, {Ms: 1}, head.Base, {Ms: head.Last.Ms, N: head.Last.N + 1}, {Ms: head.Last.Ms + 1e6, N: 1}}
	for _, e := range events {
		id := e.ID
		at = append(at, id, streams.ID{Ms: id.Ms, N: id.N - 1}, streams.ID{Ms: id.Ms - 1, N: id.N + 5}, streams.ID{Ms: id.Ms + 1})
	}
	return at
}

func testPositions(f fixture) {
	for range 12 {
		f.append("a", plenty, text("x"))
	}
	kept, head := f.history("a"), f.head("a")
	for _, at := range positions(head, kept) {
		for _, events := range []int{1, 2, 5, 12, 13} {
			for _, backward := range []bool{false, true} {
				q := streams.Query{From: at, Backward: backward, Events: events, Bytes: 1 << 20}
				f.checkPage(kept, head, q, f.page("a", q))
			}
		}
	}
}

func testBytes(f fixture) {
	for i := range 10 {
		f.append("a", plenty, text(strings.Repeat("x", i*i*20)))
	}
	kept, head := f.history("a"), f.head("a")
	sum := 0
	for _, e := range kept {
		sum += e.Size()
		for _, bytes := range []int{1, e.Size() - 1, e.Size(), sum - 1, sum, sum + 1} {
			for _, backward := range []bool{false, true} {
				q := streams.Query{Backward: backward, Events: 100, Bytes: bytes}
				f.checkPage(kept, head, q, f.page("a", q))
			}
		}
	}
}

// testWalk reads everything in small pages, in both directions.
func testWalk(f fixture) {
	drafts := make([]streams.Draft, 300)
	for i := range drafts {
		drafts[i] = text(strings.Repeat("x", i%40))
	}
	f.append("a", plenty, drafts...)
	kept := f.history("a")
	var up, down []*streams.Event
	q := streams.Query{Events: 7, Bytes: 1500}
	for more := true; more && len(up) <= len(kept); {
		page := f.page("a", q)
		f.checkPage(kept, page.Head, q, page)
		up, more = append(up, page.Events...), page.More
		last := up[len(up)-1].ID
		q.From = streams.ID{Ms: last.Ms, N: last.N + 1}
	}
	q = streams.Query{Backward: true, Events: 7, Bytes: 1500}
	for more := true; more && len(down) <= len(kept); {
		page := f.page("a", q)
		f.checkPage(kept, page.Head, q, page)
		down, more = append(slices.Clone(page.Events), down...), page.More
		q.From = down[0].ID
	}
	if len(up) != len(kept) || len(down) != len(kept) {
		f.Fatalf("%d events, %d upwards, %d downwards", len(kept), len(up), len(down))
	}
	f.checkEvents(kept, up)
	f.checkEvents(kept, down)
}

func testEmptyPages(f fixture) {
	head := f.head("a")
	for _, backward := range []bool{false, true} {
		for _, at := range []streams.ID{{}, head.Base, {Ms: head.Base.Ms, N: 1}, {Ms: head.Base.Ms + 1e6, N: 7}} {
			q := streams.Query{From: at, Backward: backward, Events: 10, Bytes: 1 << 20}
			f.checkPage(nil, head, q, f.page("a", q))
		}
	}
}

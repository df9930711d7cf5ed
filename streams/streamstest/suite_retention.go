package streamstest

import (
	"time"

	"runnel/streams"
)

var retentionTests = map[string]func(fixture){
	"retention/count": testCount,
	"retention/batch": testBatchOverCount,
	"retention/age":   testAge,
	"retention/keeps": testKeepsBoth,
}

// slack is how many events more than asked for an engine may keep.
const slack = 300

func testCount(f fixture) {
	keep := streams.Retention{Count: 10, Age: time.Hour}
	base := f.head("a").Base
	for i := range uint64(10 + slack + 50) {
		f.append("a", keep, text("x"))
		if h := f.head("a"); h.Last.N != i+1 || h.Base != base {
			f.Fatalf("after %d events the head is %+v, the base was %v", i+1, h, base)
		}
	}
	events := f.history("a")
	if len(events) < 10 || len(events) > 10+slack || events[len(events)-1].ID != f.head("a").Last {
		f.Fatalf("%d events", len(events))
	}
	f.chained(events)
	head := f.head("a")
	for _, at := range []streams.ID{{}, base, {Ms: base.Ms, N: 3}, {Ms: events[0].ID.Ms, N: events[0].ID.N - 1}} {
		q := streams.Query{From: at, Events: 4, Bytes: 1 << 20}
		f.checkPage(events, head, q, f.page("a", q))
	}
}

func testBatchOverCount(f fixture) {
	drafts := make([]streams.Draft, 3+slack+50)
	for i := range drafts {
		drafts[i] = text("x")
	}
	results := f.append("a", streams.Retention{Count: 3, Age: time.Hour}, drafts...)
	events := f.history("a")
	if len(events) < 3 || len(events) > 3+slack {
		f.Fatalf("%d events", len(events))
	}
	if last := results[len(results)-1].ID; events[len(events)-1].ID != last || last.N != uint64(len(drafts)) {
		f.Fatalf("last ID %v", last)
	}
	f.chained(events)
}

// testAge appends until the first events are gone, by age alone; meanwhile
// nothing may go that is younger.
func testAge(f fixture) {
	keep := streams.Retention{Count: 1 << 20, Age: 200 * time.Millisecond}
	first := f.append("a", keep, text("x"))[0].ID
	f.eventually("the end of the first event", func() bool {
		last := f.append("a", keep, text("x"))[0].ID
		page := f.page("a", whole)
		f.chained(page.Events)
		if len(page.Events) == 0 {
			return false // the machine stood still, and all of it is too old
		}
		oldest := page.Events[0]
		if oldest.Prev.N > 0 && oldest.Prev.Ms+uint64(keep.Age.Milliseconds()) > last.Ms {
			f.Fatalf("%v is gone at %v", oldest.Prev, last)
		}
		if page.Last != last || page.Events[len(page.Events)-1].ID != last {
			f.Fatalf("the page ends at %v, last %v", page.Events[len(page.Events)-1].ID, last)
		}
		return first.Less(oldest.ID)
	})
}

// testKeepsBoth: retention is each append's own; less then does not bring
// back, more then keeps.
func testKeepsBoth(f fixture) {
	f.append("a", plenty, text("1"), text("2"), text("3"))
	few := streams.Retention{Count: 1, Age: time.Hour}
	for range 1 + slack {
		f.append("a", few, text("x"))
	}
	events := f.history("a")
	if n := len(events); n > 1+slack {
		f.Fatalf("%d events", n)
	}
	oldest := events[0].ID
	for range 5 {
		f.append("a", plenty, text("y"))
	}
	if events := f.history("a"); events[0].ID != oldest {
		f.Fatalf("%v is gone, %v is the oldest", oldest, events[0].ID)
	}
}

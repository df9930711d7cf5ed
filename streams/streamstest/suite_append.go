package streamstest

import (
	"fmt"
	"strings"

	"runnel/streams"
)

var appendTests = map[string]func(fixture){
	"append/order":     testOrder,
	"append/adjacent":  testAdjacent,
	"append/fidelity":  testFidelity,
	"append/channels":  testChannelsApart,
	"append/nothing":   testAppendNothing,
	"append/ephemeral": testEphemeralNotStored,
}

func testOrder(f fixture) {
	base := f.head("a").Last
	for i := range 50 {
		r := f.append("a", plenty, text(fmt.Sprint(i)))[0]
		if r.ID.N != uint64(i+1) {
			f.Fatalf("event %d has ID %v", i, r.ID)
		}
		if h := f.head("a"); h.Last != r.ID || h.Base != base {
			f.Fatalf("after %v the head is %+v, the base was %v", r.ID, h, base)
		}
	}
	events := f.history("a")
	if len(events) != 50 || events[0].Prev != base || base.N != 0 || events[0].ID.Ms < base.Ms {
		f.Fatalf("%d events, the first after %v, base %v", len(events), events[0].Prev, base)
	}
	f.chained(events)
	for i, e := range events {
		f.same(e, text(fmt.Sprint(i)))
	}
}

func testAdjacent(f fixture) {
	drafts := make([]streams.Draft, 100)
	for i := range drafts {
		drafts[i] = text(fmt.Sprint(i))
	}
	f.append("a", plenty, text("before"))
	results := f.append("a", plenty, drafts...)
	f.append("a", plenty, text("after"))
	events := f.history("a")
	if len(events) != 102 {
		f.Fatalf("%d events", len(events))
	}
	f.chained(events)
	for i, r := range results {
		if events[1+i].ID != r.ID {
			f.Fatalf("event %d is %v, its result %v", i, events[1+i].ID, r.ID)
		}
		f.same(events[1+i], drafts[i])
	}
}

// strange is data that some layer of an engine could take for its own.
var strange = []string{
	"", " ", ":", "\n", "\n\n", "\x00", "a\x00b", "0", "-1", "null", "{}", `{"n":18446744073709551616.5}`, "\u2028\u2029",
	"\ufeffbom", "\x7f\u0080", "\t leading", "trailing \n", "😀 und ein sehr gewöhnlicher Satz", `"\u0000`, "\ufffd", "id: 1-1\ndata: x\n\n",
	strings.Repeat("x", 64<<10), strings.Repeat("\u2028", 20_000),
}

func testFidelity(f fixture) {
	var drafts []streams.Draft
	for i, s := range strange {
		drafts = append(drafts, text(s),
			streams.Draft{Data: []byte(s), From: s[:min(len(s), 2)], Type: "t" + fmt.Sprint(i)},
			streams.Draft{Data: []byte("1"), Type: "chat.message", From: "ana", Exclude: "c-1"})
	}
	for _, d := range drafts {
		f.append("a", plenty, d)
	}
	f.append("a", plenty, drafts...)
	events := f.history("a")
	if len(events) != 2*len(drafts) {
		f.Fatalf("%d events of %d", len(events), 2*len(drafts))
	}
	for i, e := range events {
		f.same(e, drafts[i%len(drafts)])
	}
}

func testChannelsApart(f fixture) {
	names := []string{"a", "a:b", "a:", "ab", "A", "a.b", "~2A", "user:x@y.z", "$node:1", strings.Repeat("n", 128)}
	for round := range 3 {
		for _, name := range names {
			f.append(name, plenty, text(fmt.Sprint(name, round)))
		}
	}
	for _, name := range names {
		events := f.history(name)
		if len(events) != 3 || events[2].ID.N != 3 {
			f.Fatalf("channel %q has %d events", name, len(events))
		}
		f.chained(events)
		for round, e := range events {
			f.same(e, text(fmt.Sprint(name, round)))
		}
	}
}

func testAppendNothing(f fixture) {
	if r := f.append("a", plenty); len(r) != 0 {
		f.Fatalf("%d results", len(r))
	}
	if events := f.history("a"); len(events) != 0 {
		f.Fatalf("%d events", len(events))
	}
}

func testEphemeralNotStored(f fixture) {
	passing := text("passing")
	passing.Ephemeral = true
	before := f.append("a", plenty, text("1"))[0].ID
	if r := f.append("a", plenty, passing)[0]; !r.ID.IsZero() {
		f.Fatalf("an ephemeral event has ID %v", r.ID)
	}
	if last := f.head("a").Last; last != before {
		f.Fatalf("an ephemeral event moved the head to %v", last)
	}
	results := f.append("a", plenty, passing, text("2"), passing, text("3"))
	events := f.history("a")
	if len(events) != 3 || events[1].ID != results[1].ID || events[2].ID != results[3].ID {
		f.Fatalf("%d events", len(events))
	}
	f.chained(events)
}

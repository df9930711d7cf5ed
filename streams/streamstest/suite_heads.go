package streamstest

import (
	"fmt"

	"runnel/streams"
)

var headTests = map[string]func(fixture){
	"heads/unknown": testUnknownChannel,
	"heads/many":    testManyHeads,
	"heads/base":    testBaseBeforeFirst,
}

// testUnknownChannel asks for channels nobody used, by each method first.
func testUnknownChannel(f fixture) {
	first := f.head("heads")
	if first.Last != first.Base || first.Base.N != 0 || first.Base.Ms == 0 {
		f.Fatalf("head %+v of a new channel", first)
	}
	if again := f.head("heads"); again != first {
		f.Fatalf("head %+v, then %+v", first, again)
	}
	page := f.page("range", whole)
	if page.Last != page.Base || page.Base.N != 0 || page.Base.Ms == 0 || len(page.Events) != 0 || page.More || !page.Below.IsZero() {
		f.Fatalf("page %+v of a new channel", page)
	}
	if head := f.head("range"); head != page.Head {
		f.Fatalf("head %+v, in the page %+v", head, page.Head)
	}
}

func testManyHeads(f fixture) {
	if heads, err := f.log.Heads(f.ctx, nil); err != nil || len(heads) != 0 {
		f.Fatalf("%v, %v", heads, err)
	}
	var names []string
	var want []streams.ID
	for i := range 40 {
		name := fmt.Sprint("c", i)
		names = append(names, name, name)
		for range i % 4 {
			f.append(name, plenty, text("x"))
		}
		last := f.head(name).Last
		want = append(want, last, last)
	}
	heads, err := f.log.Heads(f.ctx, names)
	if err != nil || len(heads) != len(names) {
		f.Fatalf("%d heads of %d: %v", len(heads), len(names), err)
	}
	for i, h := range heads {
		if h.Last != want[i] || h.Last.N != uint64(i/2%4) {
			f.Fatalf("head of %s is %+v, want %v", names[i], h, want[i])
		}
	}
}

// testBaseBeforeFirst: who saw only an empty channel has a position too.
func testBaseBeforeFirst(f fixture) {
	base := f.head("a").Last
	f.append("a", plenty, text("1"), text("2"))
	page := f.page("a", streams.Query{From: base, Events: 10, Bytes: 1 << 20})
	if page.Base != base || len(page.Events) != 2 || page.Events[0].Prev != base {
		f.Fatalf("base %v, then the page %+v", base, page)
	}
}

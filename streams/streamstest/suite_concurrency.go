package streamstest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"runnel/streams"
)

var concurrencyTests = map[string]func(fixture){
	"concurrent/publishers": testPublishers,
	"concurrent/readers":    testReadersMeanwhile,
	"context/cancelled":     testCancelled,
}

// testPublishers has many publish to the same channels at once.
func testPublishers(f fixture) {
	const publishers, each = 12, 60
	names := []string{"a", "b", "c"}
	ears := map[string]*ear{}
	for _, name := range names {
		ears[name] = f.follow(name)
	}
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() { f.publishInOrder(names[p%len(names)], p, each) })
	}
	all.Wait()
	for _, name := range names {
		f.checkPublished(name, ears[name], publishers/len(names), each)
	}
}

// publishInOrder publishes "p i", one and two at a time, and checks that its
// own IDs go up.
func (f fixture) publishInOrder(channel string, p, each int) {
	var last streams.ID
	for i := 0; i < each; {
		drafts := []streams.Draft{text(fmt.Sprint(p, " ", i))}
		if i++; i%3 == 0 && i < each {
			drafts = append(drafts, text(fmt.Sprint(p, " ", i)))
			i++
		}
		results, err := f.log.Append(f.ctx, channel, plenty, drafts)
		if err != nil {
			f.Errorf("publisher %d: %v", p, err)
			return
		}
		if len(results) == 2 && results[1].ID.N != results[0].ID.N+1 {
			f.Errorf("publisher %d: %v and %v are not adjacent", p, results[0].ID, results[1].ID)
		}
		for _, r := range results {
			if !last.Less(r.ID) {
				f.Errorf("publisher %d: %v after %v", p, r.ID, last)
			}
			last = r.ID
		}
	}
}

func (f fixture) checkPublished(channel string, e *ear, publishers, each int) {
	f.Helper()
	events := f.history(channel)
	if len(events) != publishers*each {
		f.Fatalf("%d events of %d", len(events), publishers*each)
	}
	f.chained(events)
	next := map[int]int{}
	for _, event := range events {
		var p, i int
		if _, err := fmt.Sscan(string(event.Data), &p, &i); err != nil || next[p] != i {
			f.Fatalf("event %v is %q, publisher's next %d", event.ID, event.Data, next[p])
		}
		next[p]++
	}
	f.eventually("all events", func() bool { return len(e.all()) >= len(events) })
	if len(e.all()) != len(events) {
		f.Fatalf("heard %d of %d", len(e.all()), len(events))
	}
	f.checkEvents(events, e.all())
}

// testReadersMeanwhile reads pages while events come and old ones go: each has
// to be of one piece.
func testReadersMeanwhile(f fixture) {
	ctx, stop := context.WithCancel(f.ctx)
	var readers sync.WaitGroup
	for _, backward := range []bool{false, true} {
		readers.Go(func() {
			for ctx.Err() == nil {
				page, err := f.log.Range(f.ctx, "a", streams.Query{Backward: backward, Events: 20, Bytes: 1 << 20})
				if err != nil {
					f.Errorf("%v", err)
					return
				}
				f.onePiece(page, backward)
			}
		})
	}
	keep := streams.Retention{Count: 30, Age: time.Hour}
	for range 300 {
		f.append("a", keep, text("x"))
	}
	stop()
	readers.Wait()
}

func (f fixture) onePiece(page streams.Page, backward bool) {
	for i := 1; i < len(page.Events); i++ {
		if page.Events[i].Prev != page.Events[i-1].ID {
			f.Errorf("%v stands after %v", page.Events[i].ID, page.Events[i-1].ID)
		}
	}
	atEnd := backward || !page.More
	if n := len(page.Events); n > 0 && atEnd && page.Events[n-1].ID != page.Last {
		f.Errorf("the page ends at %v, its head is %v", page.Events[n-1].ID, page.Last)
	}
}

// testCancelled: who no longer waits gets an error soon, and an honest one.
func testCancelled(f fixture) {
	before := f.append("a", plenty, text("1"))[0].ID
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	_, err := f.log.Append(ctx, "a", plenty, []streams.Draft{text("2")})
	unavailable, unknown := errors.Is(err, streams.ErrUnavailable), errors.Is(err, streams.ErrUnknownOutcome)
	if unavailable == unknown {
		f.Fatalf("Append: %v", err)
	}
	if _, err := f.log.Range(ctx, "a", whole); err == nil || errors.Is(err, streams.ErrClosed) {
		f.Fatalf("Range: %v", err)
	}
	if _, err := f.log.Heads(ctx, []string{"a"}); err == nil || errors.Is(err, streams.ErrClosed) {
		f.Fatalf("Heads: %v", err)
	}
	next := f.append("a", plenty, text("3"))[0].ID
	if unavailable && next.N != before.N+1 {
		f.Fatalf("%v after %v, though nothing was appended", next, before)
	}
	f.chained(f.history("a"))
}

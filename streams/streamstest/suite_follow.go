package streamstest

import (
	"fmt"
	"slices"
	"sync"

	"runnel/streams"
)

var followTests = map[string]func(fixture){
	"follow/hears":     testFollowerHears,
	"follow/fidelity":  testFollowerFidelity,
	"follow/ephemeral": testFollowerEphemeral,
	"follow/stop":      testFollowerStop,
	"follow/apart":     testFollowersApart,
	"follow/repeat":    testRepeatNotHeard,
	"follow/on disk":   testHeardIsReadable,
}

// ear is a follower that remembers what it hears.
type ear struct {
	mu      sync.Mutex
	events  []*streams.Event
	resyncs int
	early   bool // heard an event before the first Resync
	hear    func(*streams.Event)
}

// Deliver implements [streams.Follower].
func (e *ear) Deliver(event *streams.Event) {
	e.mu.Lock()
	e.events = append(e.events, event)
	e.early = e.early || e.resyncs == 0
	e.mu.Unlock()
	if e.hear != nil {
		e.hear(event)
	}
}

// Resync implements [streams.Follower].
func (e *ear) Resync() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.resyncs++
}

func (e *ear) all() []*streams.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.events)
}

func (e *ear) stored() []*streams.Event {
	return slices.DeleteFunc(e.all(), (*streams.Event).Ephemeral)
}

func (e *ear) hears() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.resyncs > 0
}

// follow returns a follower that hears the channel until the test ends.
func (f fixture) follow(channel string) *ear {
	f.Helper()
	e := &ear{}
	f.t.Cleanup(f.followBy(channel, e))
	return e
}

func (f fixture) followBy(channel string, e *ear) (stop func()) {
	f.Helper()
	stop = f.log.Follow(channel, e)
	f.eventually("the first Resync", e.hears)
	return stop
}

func testFollowerHears(f fixture) {
	f.append("a", plenty, text("before"))
	ear := f.follow("a")
	for i := range 100 {
		f.append("a", plenty, text(fmt.Sprint(i)))
	}
	f.append("a", plenty, text("100"), text("101"))
	f.eventually("102 events", func() bool { return len(ear.all()) >= 102 })
	heard := ear.all()
	if len(heard) != 102 || ear.early {
		f.Fatalf("heard %d events, before Resync: %v", len(heard), ear.early)
	}
	f.chained(heard)
	f.checkEvents(f.history("a")[1:], heard)
}

func testFollowerFidelity(f fixture) {
	ear := f.follow("a")
	var drafts []streams.Draft
	for i, s := range strange {
		d := streams.Draft{Data: []byte(s), Text: i%2 == 0, From: "ana " + s[:min(len(s), 1)], Ephemeral: i%3 == 0}
		if i%4 == 0 {
			d.Type, d.Exclude = "type", "c-1"
		}
		drafts = append(drafts, d)
	}
	for _, d := range drafts {
		f.append("a", plenty, d)
	}
	f.eventually("all events", func() bool { return len(ear.all()) >= len(drafts) })
	for i, e := range ear.all() {
		f.same(e, drafts[i])
		if e.Ephemeral() != drafts[i].Ephemeral || e.Ephemeral() && !e.Prev.IsZero() {
			f.Fatalf("event %v after %v", e.ID, e.Prev)
		}
	}
	f.checkEvents(f.history("a"), ear.stored())
}

func testFollowerEphemeral(f fixture) {
	ear := f.follow("a")
	passing := text("passing")
	passing.Ephemeral = true
	f.append("a", plenty, passing)
	f.append("a", plenty, passing, text("1"), passing, text("2"))
	f.eventually("five events", func() bool { return len(ear.all()) >= 5 })
	if n, stored := len(ear.all()), ear.stored(); n != 5 || len(stored) != 2 || len(f.history("a")) != 2 {
		f.Fatalf("heard %d, %d of them stored", n, len(stored))
	}
}

func testFollowerStop(f fixture) {
	first, second := &ear{}, &ear{}
	stop := f.followBy("a", first)
	f.append("a", plenty, text("1"))
	f.eventually("the first event", func() bool { return len(first.all()) == 1 })
	stop()
	stop()
	f.append("a", plenty, text("2"))
	defer f.followBy("a", second)()
	stop()
	f.append("a", plenty, text("3"))
	f.eventually("the third event", func() bool { return len(second.all()) > 0 })
	if heard := second.all(); len(heard) != 1 || heard[0].ID.N != 3 {
		f.Fatalf("the second heard %d events, first %v", len(heard), heard[0].ID)
	}
	if heard := first.all(); len(heard) != 1 {
		f.Fatalf("the first heard %d events", len(heard))
	}
}

func testFollowersApart(f fixture) {
	ears := map[string]*ear{"a": nil, "a:b": nil, "ab": nil}
	for name := range ears {
		ears[name] = f.follow(name)
	}
	for range 10 {
		for name := range ears {
			f.append(name, plenty, text(name))
		}
		f.append("c", plenty, text("nobody"))
	}
	for name, ear := range ears {
		f.eventually("ten events", func() bool { return len(ear.all()) >= 10 })
		f.checkEvents(f.history(name), ear.all())
		if len(ear.all()) != 10 {
			f.Fatalf("heard %d events", len(ear.all()))
		}
	}
}

func testRepeatNotHeard(f fixture) {
	ear := f.follow("a")
	f.append("a", plenty, keyed("k", "1"))
	f.append("a", plenty, keyed("k", "1"))
	f.tryAppend("a", plenty, keyed("k", "other"))
	f.append("a", plenty, text("2"))
	f.eventually("two events", func() bool { return len(ear.all()) >= 2 })
	f.checkEvents(f.history("a"), ear.all())
	if len(ear.all()) != 2 {
		f.Fatalf("heard %d events", len(ear.all()))
	}
}

// testHeardIsReadable: what a follower hears of, the log has.
func testHeardIsReadable(f fixture) {
	heard := make(chan *streams.Event, 200)
	e := &ear{hear: func(e *streams.Event) { heard <- e }}
	defer f.followBy("a", e)()
	var read sync.WaitGroup
	read.Go(func() {
		for range 200 {
			e := <-heard
			page, err := f.log.Range(f.ctx, "a", streams.Query{From: e.ID, Events: 1, Bytes: 1})
			if err != nil || len(page.Events) != 1 || page.Events[0].ID != e.ID || page.Last.Less(e.ID) {
				f.Errorf("heard of %v, read %+v, %v", e.ID, page, err)
			}
		}
	})
	for range 200 {
		f.append("a", plenty, text("x"))
	}
	read.Wait()
}

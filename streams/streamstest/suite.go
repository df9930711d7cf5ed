// Package streamstest is the one suite that every engine of package streams
// has to pass. What an engine promises beyond it (what survives a crash, what
// happens when its server is away) it tests itself.
package streamstest

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"runnel/streams"
)

// Run puts the engine through the suite. For each test open returns a log
// without any channel, and has t.Cleanup close it; the suite may close it
// before, so closing a log twice must be harmless.
func Run(t *testing.T, open func(t *testing.T) streams.Log) {
	for _, part := range []map[string]func(fixture){
		appendTests, rangeTests, headTests, keyTests, retentionTests, followTests, concurrencyTests, closeTests, modelTests, storedTests,
	} {
		for name, test := range part {
			t.Run(name, func(t *testing.T) { test(fixture{t: t, TB: t, ctx: t.Context(), log: open(t)}) })
		}
	}
}

// patience is how long the suite waits for what has to happen: far longer than
// it takes on a loaded machine, as only a failing test waits so long.
const patience = time.Minute

// plenty keeps everything the suite appends.
var plenty = streams.Retention{Count: 1 << 20, Age: time.Hour}

// whole is a query for all of a short history.
var whole = streams.Query{Events: 1 << 20, Bytes: 1 << 30}

// fixture is a test's log and what it is called with.
type fixture struct {
	rapid.TB
	t   *testing.T
	ctx context.Context
	log streams.Log
}

// append appends the drafts and returns their results; none may carry an error.
func (f fixture) append(channel string, keep streams.Retention, drafts ...streams.Draft) []streams.Result {
	f.Helper()
	results := f.tryAppend(channel, keep, drafts...)
	for i, r := range results {
		if r.Err != nil {
			f.Fatalf("draft %d: %v", i, r.Err)
		}
	}
	return results
}

// tryAppend is append where results may carry errors.
func (f fixture) tryAppend(channel string, keep streams.Retention, drafts ...streams.Draft) []streams.Result {
	f.Helper()
	results, err := f.log.Append(f.ctx, channel, keep, drafts)
	if err != nil {
		f.Fatalf("Append: %v", err)
	}
	if len(results) != len(drafts) {
		f.Fatalf("%d results for %d drafts", len(results), len(drafts))
	}
	return results
}

func (f fixture) page(channel string, q streams.Query) streams.Page {
	f.Helper()
	page, err := f.log.Range(f.ctx, channel, q)
	if err != nil {
		f.Fatalf("Range: %v", err)
	}
	return page
}

func (f fixture) history(channel string) []*streams.Event {
	f.Helper()
	return f.page(channel, whole).Events
}

func (f fixture) head(channel string) streams.Head {
	f.Helper()
	heads, err := f.log.Heads(f.ctx, []string{channel})
	if err != nil || len(heads) != 1 {
		f.Fatalf("Heads: %v, %v", heads, err)
	}
	return heads[0]
}

// text is a draft of that text.
func text(s string) streams.Draft { return streams.Draft{Data: []byte(s), Text: true} }

// eventually waits until ok, and fails the test when that takes too long.
func (f fixture) eventually(what string, ok func() bool) {
	f.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			f.Fatalf("did not come: %s", what)
		}
	}
}

// chained fails unless the events are a piece of one numbering without a
// hole: dense numbers, each naming the one before, a clock that never goes back.
func (f fixture) chained(events []*streams.Event) {
	f.Helper()
	for i := 1; i < len(events); i++ {
		a, b := events[i-1], events[i]
		if b.Prev != a.ID || b.ID.N != a.ID.N+1 || b.ID.Ms < a.ID.Ms {
			f.Fatalf("event %v (prev %v) after %v", b.ID, b.Prev, a.ID)
		}
	}
}

// same fails unless the event is the draft's.
func (f fixture) same(e *streams.Event, d streams.Draft) {
	f.Helper()
	if e.Type != d.Type || string(e.Data) != string(d.Data) || e.Text != d.Text || e.From != d.From || e.Exclude != d.Exclude {
		f.Fatalf("event %v is {%q %.200q %v %q %q}, published was {%q %.200q %v %q %q}", e.ID,
			e.Type, e.Data, e.Text, e.From, e.Exclude, d.Type, d.Data, d.Text, d.From, d.Exclude)
	}
}

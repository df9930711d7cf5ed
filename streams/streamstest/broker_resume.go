package streamstest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"runnel/streams"
)

var resumeTests = map[string]func(fixture){
	"resume/everywhere": testResumeEverywhere,
	"resume/base":       testResumeBase,
	"resume/meanwhile":  testResumeMeanwhile,
	"resume/shared":     testResumeShared,
}

// testResumeEverywhere returns to every position, where the tail answers and
// where it does not.
func testResumeEverywhere(f fixture) {
	const events = 40
	warm := f.broker(streams.BrokerOptions{})
	first := f.subscribe(warm, "a", streams.Now())
	positions := []streams.ID{first.at}
	for i := range events {
		positions = append(positions, f.publish(warm, "a", fmt.Sprint(i))...)
	}
	f.readsEvents(first, events)
	f.resumesAt(warm, positions)
	if s := warm.Stats(); s.ResumedExact != events+1 {
		f.Fatalf("%d resumed exactly", s.ResumedExact)
	}
	if err := warm.Close(); err != nil {
		f.Fatalf("Close: %v", err)
	}
	f.resumesAt(f.broker(streams.BrokerOptions{}), positions)
}

func (f fixture) resumesAt(b *streams.Broker, positions []streams.ID) {
	f.Helper()
	for i, p := range positions {
		r := f.subscribe(b, "a", streams.After(p))
		f.settles(r)
		f.read(r, numbers(i, len(positions)-1)...)
		f.noGap(r)
	}
}

// testResumeBase: who saw only an empty channel has a position too.
func testResumeBase(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	base := f.subscribe(b, "a", streams.Now()).at
	if base.IsZero() || base.N != 0 {
		f.Fatalf("an empty channel begins at %v", base)
	}
	r := f.subscribe(b, "a", streams.After(base))
	f.settles(r)
	ids := f.publish(b, "a", "1", "2")
	f.reads(r, ids[1])
	late := f.subscribe(b, "a", streams.After(base))
	f.reads(late, ids[1])
	for _, r := range []*reader{r, late} {
		f.read(r, "1", "2")
		f.noGap(r)
	}
}

// known is the positions that clients have been told.
type known struct {
	mu  sync.Mutex
	ids []streams.ID
}

func (k *known) add(ids ...streams.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ids = append(k.ids, ids...)
}

func (k *known) random() streams.ID {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ids[rand.N(len(k.ids))]
}

// testResumeMeanwhile has many readers come back at random positions, read a
// while and leave again, while 10,000 events are published. No batch may hold
// a hole or a duplicate, and in the end everybody reads to the end.
func testResumeMeanwhile(f fixture) {
	const publishers, readers, events = 4, 24, 10_000
	b := f.broker(streams.BrokerOptions{TailEvents: 200})
	k := &known{}
	k.add(f.head("a").Base)
	published, done := context.WithCancel(f.ctx)
	var publishing, reading sync.WaitGroup
	for range publishers {
		publishing.Go(func() { f.publishMuch(b, "a", k, events/publishers) })
	}
	var returned atomic.Int64
	for range readers {
		reading.Go(func() {
			for published.Err() == nil {
				f.readAWhile(b, k.random(), rand.N(1000))
				returned.Add(1)
			}
			f.readAWhile(b, k.random(), events)
		})
	}
	publishing.Wait()
	done()
	reading.Wait()
	all := f.subscribe(b, "a", streams.Earliest())
	f.readsEvents(all, events)
	if n := all.at.N; n != events {
		f.Fatalf("the last event has number %d", n)
	}
	s := b.Stats()
	f.t.Logf("%d returns, %d history reads", returned.Load(), s.HistoryReads)
	for reason, n := range s.ResumedGap {
		if n > 0 {
			f.Fatalf("%d gaps: %s", n, reason)
		}
	}
}

// publishMuch publishes n events, some of them together.
func (f fixture) publishMuch(b *streams.Broker, channel string, k *known, n int) {
	for n > 0 {
		drafts := make([]streams.Draft, min(n, 1+rand.N(40)))
		for i := range drafts {
			drafts[i] = text("some text")
		}
		results, err := b.Publish(f.ctx, channel, drafts...)
		if err != nil {
			f.Errorf("Publish: %v", err)
			return
		}
		for _, r := range results {
			k.add(r.ID)
		}
		n -= len(drafts)
	}
}

// readAWhile reads up to n events from a position, or to the end of what was
// published before it began.
func (f fixture) readAWhile(b *streams.Broker, p streams.ID, n int) {
	head, err := f.log.Heads(f.ctx, []string{"a"})
	if err != nil {
		f.Errorf("Heads: %v", err)
		return
	}
	r, err := newReader(f.ctx, b, "a", streams.After(p))
	if err != nil {
		f.Errorf("Subscribe: %v", err)
		return
	}
	defer r.sub.Close()
	r.bytes = 1 + rand.N(100_000)
	if err := r.until(func() bool { return len(r.events) >= n || !r.at.Less(head[0].Last) }); err != nil {
		f.Errorf("from %v: %v", p, err)
	}
	if len(r.gaps) > 0 {
		f.Errorf("from %v a gap: %+v", p, r.gaps[0])
	}
	if read := r.at.N - p.N; uint64(len(r.events)) != read {
		f.Errorf("%d events from %v to %v", len(r.events), p, r.at)
	}
}

// counting is a log that counts how often history is read.
type counting struct {
	streams.Log
	ranges atomic.Int64
}

func (c *counting) Range(ctx context.Context, channel string, q streams.Query) (streams.Page, error) {
	c.ranges.Add(1)
	return c.Log.Range(ctx, channel, q)
}

// testResumeShared has 2,000 clients return at once, to one position and to
// many: they share the pages of history.
func testResumeShared(f fixture) {
	const events = 600 // two pages
	positions := []streams.ID{f.head("a").Base}
	drafts := slices.Repeat([]streams.Draft{text("x")}, events)
	for _, r := range f.append("a", plenty, drafts...) {
		positions = append(positions, r.ID)
	}
	one := f.readsOfReturning(func() streams.ID { return positions[0] }, positions[events])
	many := f.readsOfReturning(func() streams.ID { return positions[rand.N(events)] }, positions[events])
	f.t.Logf("history was read %d times for one position, %d for many", one, many)
	if one > 20 || many > 200 {
		f.Fatalf("history was read %d and %d times", one, many)
	}
}

// readsOfReturning has 2,000 clients return to a fresh broker, and returns how
// often history was read until all of them came to the end.
func (f fixture) readsOfReturning(position func() streams.ID, end streams.ID) int64 {
	log := &counting{Log: f.log}
	b := f.broker(streams.BrokerOptions{Log: log})
	readers := make([]*reader, 2000)
	for i := range readers {
		readers[i] = f.subscribe(b, "a", streams.After(position()))
		if _, err := readers[i].take(); err != nil {
			f.Fatalf("%v", err)
		}
	}
	for _, r := range readers {
		f.reads(r, end)
		f.noGap(r)
	}
	if err := b.Close(); err != nil {
		f.Fatalf("Close: %v", err)
	}
	return log.ranges.Load()
}

package streamstest

import (
	"time"

	"runnel/streams"
)

var gapTests = map[string]func(fixture){
	"gap/trimmed": testGapTrimmed,
	"gap/aged":    testGapAged,
	"gap/lagging": testGapLagging,
	"gap/unknown": testGapUnknown,
	"gap/ahead":   testGapAhead,
	"gap/between": testGapBetween,
}

// checkGaps returns to the positions and compares what is told with what is
// retained: a gap where something is gone, of exactly the size, and then all
// that is there.
func (f fixture) checkGaps(b *streams.Broker, positions []streams.ID) {
	f.Helper()
	kept := f.history("a")
	first, last := kept[0], kept[len(kept)-1].ID
	for _, p := range positions {
		r := f.subscribe(b, "a", streams.After(p))
		f.settles(r)
		r.sub.Close()
		if r.at != last {
			f.Fatalf("from %v to %v, the last event is %v", p, r.at, last)
		}
		if p.N >= first.Prev.N {
			f.noGap(r)
			if uint64(len(r.events)) != last.N-p.N {
				f.Fatalf("from %v %d events", p, len(r.events))
			}
			continue
		}
		f.oneGap(r, streams.Gap{
			Channel: "a", After: p, Last: first.Prev, Resumed: first.ID,
			Missed: int64(first.ID.N - p.N - 1), Reason: streams.Trimmed,
		})
		f.checkEvents(kept, r.events)
		if len(r.events) != len(kept) {
			f.Fatalf("from %v %d events of %d", p, len(r.events), len(kept))
		}
	}
}

func (f fixture) oneGap(r *reader, want streams.Gap) {
	f.Helper()
	if len(r.gaps) != 1 || r.gaps[0] != want {
		f.Fatalf("these gaps:\n%+v, want\n%+v", r.gaps, want)
	}
}

func testGapTrimmed(f fixture) {
	base := f.head("a").Base
	published := f.trimmed()
	b := f.broker(streams.BrokerOptions{})
	f.checkGaps(b, append([]streams.ID{base}, published...))
	s := b.Stats()
	missing := f.history("a")[0].ID.N - 1
	if all := uint64(len(published) + 1); s.ResumedGap[streams.Trimmed] != missing || s.ResumedExact != all-missing {
		f.Fatalf("%+v", s)
	}
}

// testGapAged: the same when age has removed events.
func testGapAged(f fixture) {
	short := streams.Retention{Count: plenty.Count, Age: 100 * time.Millisecond}
	positions := []streams.ID{f.head("a").Base}
	f.eventually("the end of the first event", func() bool {
		positions = append(positions, f.append("a", short, text("x"))[0].ID)
		kept := f.history("a") // nothing, once the machine stood still
		return len(kept) > 0 && kept[0].ID != positions[1]
	})
	// From here on nothing goes any more.
	positions = append(positions, f.append("a", plenty, text("x"))[0].ID)
	step := len(positions)/100 + 1
	var some []streams.ID
	for i := 0; i < len(positions); i += step {
		some = append(some, positions[i])
	}
	f.checkGaps(f.broker(streams.BrokerOptions{}), some)
}

// testGapLagging: who is connected and reads too slowly gets the same account.
func testGapLagging(f fixture) {
	b := f.broker(streams.BrokerOptions{TailEvents: 20})
	r := f.subscribe(b, "a", streams.Now())
	base := r.at
	f.settles(r)
	published := f.trimmed()
	kept := f.history("a")
	f.eventually("the tail", func() bool {
		other := f.subscribe(b, "a", streams.Now())
		defer other.sub.Close()
		return other.at == published[len(published)-1]
	})
	f.reads(r, published[len(published)-1])
	f.oneGap(r, streams.Gap{
		Channel: "a", After: base, Last: kept[0].Prev, Resumed: kept[0].ID,
		Missed: int64(kept[0].ID.N - 1), Reason: streams.Trimmed,
	})
}

func testGapUnknown(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	base := f.head("a").Base
	before := []streams.ID{{Ms: 1, N: 1}, {Ms: base.Ms - 1}, {Ms: base.Ms - 1, N: 42}}
	for _, p := range before {
		r := f.starts(b, streams.After(p))
		f.oneGap(r, streams.Gap{Channel: "a", After: p, Last: base, Missed: streams.MissedUnknown, Reason: streams.Unknown})
	}
	live := f.subscribe(b, "a", streams.Now())
	ids := f.publish(b, "a", "1", "2")
	f.reads(live, ids[1])
	for _, p := range before {
		r := f.starts(b, streams.After(p))
		f.oneGap(r, streams.Gap{
			Channel: "a", After: p, Last: base, Resumed: ids[0], Missed: streams.MissedUnknown, Reason: streams.Unknown,
		})
		f.read(r, "1", "2")
	}
}

// testGapAhead: a position above all there is may be one that a node has not
// heard of yet, so this takes a moment.
func testGapAhead(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	last := f.publish(b, "a", "1", "2")[1]
	ahead := streams.ID{Ms: last.Ms + 1e6, N: 4}
	began := time.Now()
	r := f.subscribe(b, "a", streams.After(ahead))
	f.readsGap(r)
	if took := time.Since(began); took < 900*time.Millisecond {
		f.Fatalf("decided after %v", took)
	}
	f.oneGap(r, streams.Gap{Channel: "a", After: ahead, Last: last, Missed: streams.MissedUnknown, Reason: streams.Rollback})
	f.settles(r)
	next := f.publish(b, "a", "3")[0]
	f.reads(r, next)
	f.read(r, "3")
}

// testGapBetween: a position that stands between two events which follow each
// other is from a past that was lost.
func testGapBetween(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	first := f.publish(b, "a", "1")[0]
	var next streams.ID
	f.eventually("another millisecond", func() bool {
		next = f.publish(b, "a", "2")[0]
		if next.Ms == first.Ms {
			first = next
		}
		return next.Ms > first.Ms
	})
	f.publish(b, "a", "3")
	lost := streams.ID{Ms: first.Ms, N: first.N + 7}
	r := f.starts(b, streams.After(lost))
	f.oneGap(r, streams.Gap{
		Channel: "a", After: lost, Last: first, Resumed: next, Missed: streams.MissedUnknown, Reason: streams.Rollback,
	})
	f.read(r, "2", "3")
}

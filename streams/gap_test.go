package streams

import (
	"testing"
	"testing/synctest"
	"time"
)

// Two gaps that are told as one keep what is worse: with a rollback nobody knows
// how much is gone.
func TestGapsAreToldAsOne(t *testing.T) {
	for _, c := range []struct {
		one, next, want Reason
		missed          int64
	}{
		{Trimmed, Trimmed, Trimmed, 8}, {Trimmed, Expired, Expired, 8}, {Expired, Trimmed, Expired, 8},
		{Trimmed, Rollback, Rollback, MissedUnknown}, {Expired, Rollback, Rollback, MissedUnknown}, {Expired, Unknown, Unknown, MissedUnknown},
		{Rollback, Trimmed, Rollback, MissedUnknown}, {Rollback, Unknown, Rollback, MissedUnknown}, {Unknown, Expired, Unknown, MissedUnknown},
	} {
		gap := func(r Reason) *Gap {
			if r == Rollback || r == Unknown {
				return &Gap{Reason: r, Missed: MissedUnknown}
			}
			return &Gap{Reason: r, Missed: 4}
		}
		if all := gap(c.one).with(gap(c.next), nil); all.Reason != c.want || all.Missed != c.missed {
			t.Errorf("%s and %s: %s, %d missed", c.one, c.next, all.Reason, all.Missed)
		}
	}
}

// TestForkOfSeveral: what a node saw the log lose was lost where it saw it,
// whatever an earlier fork can have lost.
func TestForkOfSeveral(t *testing.T) {
	page := &Page{Head: Head{Last: ID{2000, 8}}, Forks: []Fork{
		{Last: ID{500, 5}, First: ID{1500, 6}, Lost: ID{5000, 10}},
		{Last: ID{1600, 7}, First: ID{2000, 8}, Lost: ID{1800, 9}},
	}}
	for p, want := range map[ID]uint64{{1800, 9}: 7, {5000, 10}: 5, {4000, 9}: 5, {1400, 7}: 5} {
		if f, ok := page.forkOf(p); !ok || f.Last.N != want {
			t.Errorf("%v was lost after number %d, %t; want %d", p, f.Last.N, ok, want)
		}
	}
}

// An event that comes while the broker closes starts nothing any more.
func TestNothingIsReadAfterTheEnd(t *testing.T) {
	log := NewMemory(0)
	defer log.Close()
	b := NewBroker(BrokerOptions{Log: log})
	c := newChannel("a", b)
	c.begin(ID{1, 0})
	c.unfinished(&Fork{Last: ID{1, 0}})
	b.Close()
	c.Deliver(&Event{ID: ID{2, 1}, Prev: ID{1, 0}})
	if b.refreshes.running > 0 {
		t.Error("a tail is being read anew")
	}
}

func TestAheadBecomesRollback(t *testing.T) {
	inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, _ *frail) {
		last := publish(t, b, "1")[0]
		ahead := ID{Ms: last.Ms + 5000, N: 3}
		s, signal := subscribe(t, b, After(ahead))
		began := time.Now()
		var gaps []Gap
		for ; len(gaps) == 0; time.Sleep(10 * time.Millisecond) {
			if _, gaps = drain(s, signal); time.Since(began) > 2*aheadFor {
				t.Fatal("no gap")
			}
		}
		if took := time.Since(began); took < time.Second {
			t.Fatalf("decided after %v", took)
		}
		want := Gap{Channel: "a", After: ahead, Last: last, Missed: MissedUnknown, Reason: Rollback}
		if len(gaps) != 1 || gaps[0] != want {
			t.Fatalf("%+v", gaps)
		}
		publish(t, b, "2")
		texts, gaps := drain(s, signal)
		if wantTexts(t, texts, "2"); len(gaps) > 0 {
			t.Fatalf("%+v", gaps)
		}
		if n := b.Stats().ResumedGap[Rollback]; n != 1 {
			t.Fatalf("%d rollbacks counted", n)
		}
	})
}

// A client may come back to a node that has not heard of its event yet.
func TestAheadOfALateNode(t *testing.T) {
	inBubble(t, BrokerOptions{CheckEvery: time.Hour}, func(t *testing.T, b *Broker, log *frail) {
		first, signal := subscribe(t, b, Now())
		publish(t, b, "1")
		drain(first, signal)
		log.deaf.Store(true)
		log.hidden.Store(true)
		last := publish(t, b, "2")[0]
		s, signal := subscribe(t, b, After(last))
		if texts, gaps := drain(s, signal); len(texts)+len(gaps) > 0 {
			t.Fatalf("%q, %+v", texts, gaps)
		}
		time.Sleep(aheadFor - aheadRetry)
		log.deaf.Store(false)
		log.hidden.Store(false)
		publish(t, b, "3")
		time.Sleep(2 * aheadFor)
		texts, gaps := drain(s, signal)
		if wantTexts(t, texts, "3"); len(gaps) > 0 || s.Position() == last {
			t.Fatalf("%+v", gaps)
		}
	})
}

// Connected clients learn of a rollback too, also when nothing is published.
func TestRollbackUnderAFollower(t *testing.T) {
	inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, log *frail) {
		s, signal := subscribe(t, b, Now())
		first := publish(t, b, "1", "2", "3")[0]
		texts, _ := drain(s, signal)
		wantTexts(t, texts, "1", "2", "3")
		was := s.Position()
		log.tamper(func(c *memoryChannel) {
			c.drop(3)
			c.head.Last = first
		})
		time.Sleep(35 * time.Second) // the background check finds it
		_, gaps := drain(s, signal)
		for range 10 {
			time.Sleep(aheadRetry)
			_, more := drain(s, signal)
			gaps = append(gaps, more...)
		}
		want := Gap{Channel: "a", After: was, Last: first, Missed: MissedUnknown, Reason: Rollback}
		if len(gaps) != 1 || gaps[0] != want {
			t.Fatalf("%+v, want %+v", gaps, want)
		}
		publish(t, b, "2 again")
		texts, gaps = drain(s, signal)
		if wantTexts(t, texts, "2 again"); len(gaps) > 0 {
			t.Fatalf("%+v", gaps)
		}
	})
}

func TestExpiredGap(t *testing.T) {
	short := Retention{Count: 100, Age: time.Minute}
	o := BrokerOptions{Retention: func(string) Retention { return short }}
	inBubble(t, o, func(t *testing.T, b *Broker, _ *frail) {
		ids := publish(t, b, "1", "2", "3", "4")
		since := time.Now()
		time.Sleep(3 * time.Minute)
		s, signal := subscribe(t, b, After(ids[1]))
		_, gaps := drain(s, signal)
		want := Gap{Channel: "a", After: ids[1], Last: ids[3], Missed: 2, Reason: Expired}
		if len(gaps) != 1 || gaps[0] != want {
			t.Fatalf("%+v, want %+v", gaps, want)
		}
		s, signal = subscribe(t, b, Since(since))
		_, gaps = drain(s, signal)
		want = Gap{Channel: "a", Last: ids[3], Missed: MissedUnknown, Reason: Expired}
		if len(gaps) != 1 || gaps[0] != want {
			t.Fatalf("%+v, want %+v", gaps, want)
		}
		for _, start := range []Start{After(ids[3]), Earliest(), Rewind(3), Since(time.Now())} {
			s, signal = subscribe(t, b, start)
			if texts, gaps := drain(s, signal); len(texts)+len(gaps) > 0 || s.Position() != ids[3] {
				t.Fatalf("%+v: %q, %+v", start, texts, gaps)
			}
		}
		if back, err := b.Before(t.Context(), "a", ID{}, 10, 1000); err != nil || len(back.Events) > 0 || back.Position != ids[3] {
			t.Fatalf("%+v, %v", back, err)
		}
	})
}

// TestResumedIsNotOvertaken: a gap was told and not delivered, or found at the
// start, and by the time it is told (again) what was to follow it is gone, too.
func TestResumedIsNotOvertaken(t *testing.T) {
	inBubble(t, BrokerOptions{TailEvents: 1}, func(t *testing.T, b *Broker, log *frail) {
		ids := publish(t, b, "1", "2", "3", "4", "5", "6")
		trim := func(n int) { log.tamper(func(c *memoryChannel) { c.drop(n) }) }
		trim(2)
		since, sinceSignal := subscribe(t, b, Since(ids[0].Time()))
		s, signal := subscribe(t, b, After(ids[0]))
		s.Next(nil, 1)
		synctest.Wait()
		first := s.Next(nil, 1<<20)
		want := Gap{Channel: "a", After: ids[0], Last: ids[1], Resumed: ids[2], Missed: 1, Reason: Trimmed}
		if first.Gap == nil || *first.Gap != want {
			t.Fatalf("%+v, want %+v", first.Gap, want)
		}
		s.Seek(first.From, first.Gap)
		trim(2)
		time.Sleep(3 * tailSweepEvery) // no page at hand has them any more
		_, gaps := drain(s, signal)
		want = Gap{Channel: "a", After: ids[0], Last: ids[3], Resumed: ids[4], Missed: 3, Reason: Trimmed}
		if len(gaps) != 1 || gaps[0] != want {
			t.Fatalf("%+v, want %+v", gaps, want)
		}
		_, gaps = drain(since, sinceSignal)
		want = Gap{Channel: "a", Last: ids[3], Resumed: ids[4], Missed: MissedUnknown, Reason: Trimmed}
		if len(gaps) != 1 || gaps[0] != want {
			t.Fatalf("%+v, want %+v", gaps, want)
		}
	})
}

package streams

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// frail is a memory log whose weaknesses a test can turn on.
type frail struct {
	*Memory
	deaf      atomic.Bool // takes events and does not deliver them
	away      atomic.Bool // takes nothing
	hidden    atomic.Bool // pages end before the newest event
	slow      atomic.Bool // pages come only when the reader gives up
	ranges    atomic.Int64
	refollows atomic.Int64

	mu      sync.Mutex
	holding bool
	held    []func() // deliveries that are late
	heard   map[string]Follower
}

func newFrail(t *testing.T) *frail {
	l := &frail{Memory: NewMemory(0), heard: map[string]Follower{}}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func (l *frail) Append(ctx context.Context, channel string, keep Retention, drafts []Draft) ([]Result, error) {
	if l.away.Load() {
		return nil, unavailable(context.DeadlineExceeded)
	}
	return l.Memory.Append(ctx, channel, keep, drafts)
}

func (l *frail) Range(ctx context.Context, channel string, q Query) (Page, error) {
	l.ranges.Add(1)
	if l.slow.Load() {
		<-ctx.Done()
		return Page{}, unavailable(ctx.Err())
	}
	page, err := l.Memory.Range(ctx, channel, q)
	if n := len(page.Events); l.hidden.Load() {
		if n > 0 && page.Events[n-1].ID == page.Last {
			page.Last, page.Events = page.Events[n-1].Prev, page.Events[:n-1]
		} else if page.Below == page.Last {
			page.Last, page.Below = ID{Ms: page.Last.Ms, N: page.Last.N - 1}, ID{}
		}
	}
	return page, err
}

func (l *frail) Follow(channel string, f Follower) func() {
	l.mu.Lock()
	l.heard[channel] = f
	l.mu.Unlock()
	return l.Memory.Follow(channel, &frailFollower{f, l})
}

func (l *frail) Refollow() { l.refollows.Add(1) }

func (l *frail) follower(channel string) Follower {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard[channel]
}

// hold keeps deliveries back until they are let go.
func (l *frail) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holding = true
}

func (l *frail) letGo() {
	l.mu.Lock()
	held := l.held
	l.holding, l.held = false, nil
	l.mu.Unlock()
	for _, deliver := range held {
		deliver()
	}
}

// tamper changes what the log has of the channel, as nobody should.
func (l *frail) tamper(change func(*memoryChannel)) {
	v, _ := l.channels.Load("a")
	c := v.(*memoryChannel)
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

type frailFollower struct {
	Follower
	log *frail
}

func (f *frailFollower) Deliver(e *Event) {
	if f.log.deaf.Load() {
		return
	}
	f.log.mu.Lock()
	if f.log.holding {
		f.log.held = append(f.log.held, func() { f.Follower.Deliver(e) })
		f.log.mu.Unlock()
		return
	}
	f.log.mu.Unlock()
	f.Follower.Deliver(e)
}

// inBubble runs a test of a broker over a frail log in the bubble's time. The
// probe is out of the way unless the options say otherwise.
func inBubble(t *testing.T, o BrokerOptions, test func(t *testing.T, b *Broker, log *frail)) {
	synctest.Test(t, func(t *testing.T) {
		log := newFrail(t)
		o := o
		o.Log, o.Node = log, "a"
		if o.ProbeEvery == 0 {
			o.ProbeEvery = 1000 * time.Hour
		}
		b := NewBroker(o)
		t.Cleanup(func() { _ = b.Close() })
		synctest.Wait()
		log.ranges.Store(0)
		test(t, b, log)
	})
}

func publish(t *testing.T, b *Broker, texts ...string) (ids []ID) {
	t.Helper()
	drafts := make([]Draft, len(texts))
	for i, s := range texts {
		drafts[i] = Draft{Data: []byte(s), Text: true, Ephemeral: strings.HasPrefix(s, "~")}
	}
	results, err := b.Publish(t.Context(), "a", drafts...)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		ids = append(ids, r.ID)
	}
	return ids
}

func subscribe(t *testing.T, b *Broker, start Start) (*Subscription, Signal) {
	t.Helper()
	signal := NewSignal()
	s, err := b.Subscribe(t.Context(), "a", start, signal)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, signal
}

// drain reads what there is at this moment, waking when woken, and returns the
// texts and gaps.
func drain(s *Subscription, signal Signal) (texts []string, gaps []Gap) {
	for {
		synctest.Wait()
		select {
		case <-signal:
		default:
			if !s.Due() {
				return texts, gaps
			}
		}
		b := s.Next(nil, 1<<20)
		if b.Gap != nil {
			gaps = append(gaps, *b.Gap)
		}
		for _, e := range b.Events {
			texts = append(texts, string(e.Data))
		}
	}
}

func wantTexts(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Fatalf("read %q, want %q", got, want)
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

func TestEphemeralLife(t *testing.T) {
	for after, want := range map[time.Duration][]string{
		ephemeralLife - time.Second: {"1", "~typing", "2"},
		ephemeralLife + time.Second: {"1", "2"},
	} {
		inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, _ *frail) {
			s, signal := subscribe(t, b, Now())
			drain(s, signal)
			publish(t, b, "1", "~typing", "2")
			time.Sleep(after)
			texts, gaps := drain(s, signal)
			if wantTexts(t, texts, want...); len(gaps) > 0 {
				t.Fatalf("%+v", gaps)
			}
		})
	}
}

// Who comes back within a page's life reads no page of its own.
func TestPageLife(t *testing.T) {
	inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, log *frail) {
		base := ID{Ms: uint64(time.Now().UnixMilli())}
		publish(t, b, "1", "2", "3")
		open, _ := subscribe(t, b, Now())
		defer open.Close()
		comeBack := func() {
			s, signal := subscribe(t, b, After(base))
			texts, _ := drain(s, signal)
			wantTexts(t, texts, "1", "2", "3")
			s.Close()
		}
		comeBack()
		time.Sleep(pageLife / 2)
		comeBack()
		if n := log.ranges.Load(); n != 1 {
			t.Fatalf("%d pages were read", n)
		}
		if b.Stats().Held == 0 {
			t.Fatal("a page costs nothing")
		}
		time.Sleep(pageLife + tailSweepEvery)
		if held := b.Stats().Held; held != 0 {
			t.Fatalf("%d bytes are held", held)
		}
		comeBack()
		if n := log.ranges.Load(); n != 2 {
			t.Fatalf("%d pages were read", n)
		}
	})
}

// What a tail holds is given back after a while; readers that come later find
// it in the log.
func TestTailAge(t *testing.T) {
	inBubble(t, BrokerOptions{TailAge: time.Minute}, func(t *testing.T, b *Broker, log *frail) {
		s, signal := subscribe(t, b, Now())
		late, lateSignal := subscribe(t, b, Now())
		drain(late, lateSignal)
		publish(t, b, "1", "2")
		drain(s, signal)
		time.Sleep(50 * time.Second)
		if b.Stats().Held == 0 || log.ranges.Load() != 0 {
			t.Fatalf("%+v", b.Stats())
		}
		time.Sleep(20 * time.Second)
		if held := b.Stats().Held; held != 0 {
			t.Fatalf("%d bytes are held", held)
		}
		texts, gaps := drain(late, lateSignal)
		if wantTexts(t, texts, "1", "2"); len(gaps) > 0 || log.ranges.Load() != 1 {
			t.Fatalf("%+v, %d pages read", gaps, log.ranges.Load())
		}
	})
}

func TestLingerTime(t *testing.T) {
	inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, _ *frail) {
		s, _ := subscribe(t, b, Now())
		s.Close()
		time.Sleep(9 * time.Second)
		if n := b.Stats().Channels; n != 1 {
			t.Fatalf("%d channels just after", n)
		}
		time.Sleep(7 * time.Second)
		if n := b.Stats().Channels; n != 0 {
			t.Fatalf("%d channels later", n)
		}
	})
}

// A message that was lost without a sign is found by the next one, and without
// one by the background check.
func TestLostMessage(t *testing.T) {
	inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, log *frail) {
		s, signal := subscribe(t, b, Now())
		drain(s, signal)
		log.deaf.Store(true)
		publish(t, b, "1")
		texts, _ := drain(s, signal)
		wantTexts(t, texts)
		log.deaf.Store(false)
		publish(t, b, "2")
		texts, _ = drain(s, signal)
		wantTexts(t, texts, "1", "2")

		log.deaf.Store(true)
		publish(t, b, "3")
		texts, _ = drain(s, signal)
		wantTexts(t, texts)
		time.Sleep(31 * time.Second)
		texts, gaps := drain(s, signal)
		if wantTexts(t, texts, "3"); len(gaps) > 0 {
			t.Fatalf("%+v", gaps)
		}
	})
}

// Messages were lost, and of what they brought an event is gone.
func TestHoleUnderAFollower(t *testing.T) {
	inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, log *frail) {
		s, signal := subscribe(t, b, Now())
		drain(s, signal)
		log.deaf.Store(true)
		ids := publish(t, b, "1", "2", "3", "4", "5")
		log.tamper(func(c *memoryChannel) { c.events = slices.Delete(c.events, 2, 3) })
		time.Sleep(31 * time.Second)
		texts, gaps := drain(s, signal)
		want := Gap{Channel: "a", After: ids[1], Last: ids[2], Resumed: ids[3], Missed: 1, Reason: Trimmed}
		if wantTexts(t, texts, "1", "2", "4", "5"); len(gaps) != 1 || gaps[0] != want {
			t.Fatalf("%+v, want %+v", gaps, want)
		}
	})
}

// Older pages end before a hole, and say how large it is, whether the position
// asked for stands beside it or in it.
func TestBeforeHoles(t *testing.T) {
	inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, log *frail) {
		ids := append([]ID{{}}, publish(t, b, "1", "2", "3", "4", "5", "6", "7", "8", "9", "10")...)
		log.tamper(func(c *memoryChannel) {
			kept := c.events[:0]
			for _, e := range c.events {
				if n := e.ID.N; n != 4 && n != 5 && n != 7 && n != 10 {
					kept = append(kept, e)
				}
			}
			c.events = kept
		})
		gap := func(after, last int, missed int64) *Gap {
			return &Gap{Channel: "a", After: ids[after], Last: ids[last], Missed: missed, Reason: Trimmed}
		}
		for _, c := range []struct {
			before, limit int
			texts         string
			gap           *Gap
			more          bool
		}{
			{0, 10, "8 9", gap(9, 10, 1), true},
			{0, 1, "9", gap(9, 10, 1), true},
			{10, 10, "8 9", nil, true},
			{9, 10, "8", nil, true},
			{8, 10, "6", gap(6, 7, 1), true},
			{7, 10, "6", nil, true},
			{6, 10, "1 2 3", gap(3, 5, 2), false},
			{6, 2, "2 3", gap(3, 5, 2), true},
			{5, 10, "1 2 3", gap(3, 5, 1), false},
			{5, 1, "3", gap(3, 5, 1), true},
			{4, 10, "1 2 3", nil, false},
			{1, 10, "", nil, false},
		} {
			back, err := b.Before(t.Context(), "a", ids[c.before], c.limit, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			var texts []string
			for _, e := range back.Events {
				texts = append(texts, string(e.Data))
			}
			same := back.Gap == c.gap || back.Gap != nil && c.gap != nil && *back.Gap == *c.gap
			if strings.Join(texts, " ") != c.texts || !same || back.More != c.more {
				t.Errorf("before %d, %d: %q, more %v, gap %+v, want %+v", c.before, c.limit, texts, back.More, back.Gap, c.gap)
			}
		}
	})
}

// More was missed than a page holds: the tail begins anew, readers do not
// notice.
func TestMuchLost(t *testing.T) {
	inBubble(t, BrokerOptions{Retention: func(string) Retention { return Retention{Count: 1 << 20, Age: time.Hour} }}, func(t *testing.T, b *Broker, log *frail) {
		s, signal := subscribe(t, b, Now())
		drain(s, signal)
		log.deaf.Store(true)
		var want []string
		for range 3*pageEvents + 7 {
			publish(t, b, "x")
			want = append(want, "x")
		}
		log.deaf.Store(false)
		publish(t, b, "last")
		texts, gaps := drain(s, signal)
		if wantTexts(t, texts, append(want, "last")...); len(gaps) > 0 {
			t.Fatalf("%+v", gaps)
		}
	})
}

// The log says that nothing follows a position; before the reader hears of
// that, the tail moves past the position and forgets it again. The reader must
// not wait for an event that has been already.
func TestNotAsleepBehindTheTail(t *testing.T) {
	inBubble(t, BrokerOptions{TailEvents: 1, CheckEvery: time.Hour}, func(t *testing.T, b *Broker, log *frail) {
		open, signal := subscribe(t, b, Now())
		defer open.Close()
		drain(open, signal)
		log.hold()
		p := publish(t, b, "1")[0]
		s, signal := subscribe(t, b, After(p))
		if batch := s.Next(nil, 1000); batch.Current || !batch.Empty() {
			t.Fatalf("%+v", batch)
		}
		synctest.Wait() // the log has answered
		publish(t, b, "2", "3")
		log.letGo()
		texts, _ := drain(s, signal)
		wantTexts(t, texts, "2", "3")
	})
}

// What was under way when a channel was left is counted by nobody.
func TestDeliveredAfterLeaving(t *testing.T) {
	inBubble(t, BrokerOptions{Linger: time.Second}, func(t *testing.T, b *Broker, log *frail) {
		s, signal := subscribe(t, b, Now())
		drain(s, signal)
		log.hold()
		publish(t, b, "1", "2")
		s.Close()
		time.Sleep(3 * time.Second)
		if n := b.Stats().Channels; n != 0 {
			t.Fatalf("%d channels", n)
		}
		log.letGo()
		log.follower("a").Resync()
		synctest.Wait()
		if held := b.Stats().Held; held != 0 {
			t.Fatalf("%d bytes are held", held)
		}
		again, signal := subscribe(t, b, Now())
		publish(t, b, "3")
		texts, _ := drain(again, signal)
		wantTexts(t, texts, "3")
	})
}

// A log that takes events and does not deliver them is not ready, and is asked
// to follow anew; one that is away is not ready either.
func TestReady(t *testing.T) {
	var lines bytes.Buffer
	o := BrokerOptions{ProbeEvery: 2 * time.Second, Logger: slog.New(slog.NewTextHandler(&lines, nil))}
	inBubble(t, o, func(t *testing.T, b *Broker, log *frail) {
		ready := func(in time.Duration, want string) {
			t.Helper()
			time.Sleep(in)
			switch err := b.Ready(); {
			case err == nil && want == "":
			case err == nil, want == "", !strings.Contains(err.Error(), want):
				t.Fatalf("%v, want %q", err, want)
			}
		}
		ready(0, "")
		log.deaf.Store(true)
		ready(2*time.Second, "") // the last round trip still counts
		ready(8*time.Second, "did not come back within 2s")
		if log.refollows.Load() == 0 {
			t.Fatal("not followed anew")
		}
		log.deaf.Store(false)
		ready(5*time.Second, "")
		refollows := log.refollows.Load()
		log.away.Store(true)
		ready(10*time.Second, ErrUnavailable.Error())
		if log.refollows.Load() != refollows {
			t.Fatal("followed anew though the log is away")
		}
		log.away.Store(false)
		ready(3*time.Second, "")
		if n := b.Stats().LogErrors; n == 0 || !strings.Contains(lines.String(), "doing=probe") {
			t.Fatalf("%d errors counted, %q", n, lines.String())
		}
	})
}

// A broker that has just begun is not ready before the first round trip.
func TestReadyAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFrail(t)
		log.deaf.Store(true)
		b := NewBroker(BrokerOptions{Log: log, Node: "a"})
		if err := b.Ready(); err == nil {
			t.Fatal("ready at once")
		}
		synctest.Wait()
		began := time.Now()
		if err := b.Close(); err != nil || time.Since(began) > 0 {
			t.Fatalf("%v after %v", err, time.Since(began))
		}
		if log.refollows.Load() > 0 {
			t.Fatal("followed anew while closing")
		}
	})
}

// TestReadyOnceFollowed: a node is ready as soon as the log is followed, not
// only at the next try: at the start, where the first event comes too early to
// be heard, and when the log was away.
func TestReadyOnceFollowed(t *testing.T) {
	o := BrokerOptions{ProbeEvery: time.Hour}
	inBubble(t, o, func(t *testing.T, b *Broker, log *frail) {
		log.away.Store(true)
		time.Sleep(2 * time.Hour)
		log.away.Store(false)
		log.deaf.Store(true) // its follower does not hear yet
		follower := log.follower("$probe:a")
		follower.Resync()
		synctest.Wait()
		if err := b.Ready(); err == nil {
			t.Fatal("ready without having heard anything")
		}
		log.deaf.Store(false)
		follower.Resync()
		synctest.Wait()
		if err := b.Ready(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestSlowPagesKeepNobodyWaiting: who subscribes to a channel waits for word of
// that one alone, however long the log takes to read tails of others anew.
func TestSlowPagesKeepNobodyWaiting(t *testing.T) {
	inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, log *frail) {
		subscribe := func(name string) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			s, err := b.Subscribe(ctx, name, Now(), NewSignal())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			t.Cleanup(s.Close)
		}
		names := make([]string, 2*refreshAtOnce)
		for i := range names {
			names[i] = "behind" + strconv.Itoa(i)
			subscribe(names[i])
		}
		log.deaf.Store(true)
		log.slow.Store(true)
		for _, name := range names {
			if _, err := b.Publish(t.Context(), name, Draft{Data: []byte("1")}); err != nil {
				t.Fatal(err)
			}
			log.follower(name).Resync()
		}
		synctest.Wait()
		subscribe("new")
	})
}

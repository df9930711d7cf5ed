package streams

import (
	"context"
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

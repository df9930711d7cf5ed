package streamstest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"runnel/streams"
)

// RunBroker puts a broker over the engine through what its subscribers are
// promised. For each test open returns a log without any channel, and has
// t.Cleanup close it.
func RunBroker(t *testing.T, open func(t *testing.T) streams.Log) {
	for _, part := range []map[string]func(fixture){
		liveTests, resumeTests, slowTests, startTests, gapTests, ephemeralTests, wakeTests,
		boundTests, leaveTests, backTests, lookTests, shareTests, brokerCloseTests,
	} {
		for name, test := range part {
			t.Run(name, func(t *testing.T) { test(fixture{t: t, TB: t, ctx: t.Context(), log: open(t)}) })
		}
	}
}

// broker starts a broker over the fixture's log that keeps everything unless
// the options say otherwise. It is closed before the log is.
func (f fixture) broker(o streams.BrokerOptions) *streams.Broker {
	if o.Log == nil {
		o.Log = f.log
	}
	if o.Retention == nil {
		o.Retention = func(string) streams.Retention { return plenty }
	}
	o.Node = "suite"
	b := streams.NewBroker(o)
	f.t.Cleanup(func() {
		if err := b.Close(); err != nil {
			f.Errorf("Close: %v", err)
		}
	})
	return b
}

// publish publishes texts and returns their IDs.
func (f fixture) publish(b *streams.Broker, channel string, texts ...string) []streams.ID {
	f.Helper()
	drafts := make([]streams.Draft, len(texts))
	for i, s := range texts {
		drafts[i] = text(s)
	}
	results, err := b.Publish(f.ctx, channel, drafts...)
	if err != nil {
		f.Fatalf("Publish: %v", err)
	}
	ids := make([]streams.ID, len(results))
	for i, r := range results {
		ids[i] = r.ID
	}
	return ids
}

// numbers are the texts "from" to "to-1".
func numbers(from, to int) (texts []string) {
	for i := from; i < to; i++ {
		texts = append(texts, fmt.Sprint(i))
	}
	return texts
}

// reader reads one subscription, and holds every batch against what is
// promised of all: each event names the one before it as the position or the
// event read last, and only a gap lets it be otherwise.
type reader struct {
	sub    *streams.Subscription
	signal streams.Signal
	bytes  int // per Next
	at     streams.ID

	events []*streams.Event
	gaps   []streams.Gap
}

// subscribe begins reading; the subscription is closed when the test is over,
// if it was not before.
func (f fixture) subscribe(b *streams.Broker, channel string, start streams.Start) *reader {
	f.Helper()
	r, err := newReader(f.ctx, b, channel, start)
	if err != nil {
		f.Fatalf("Subscribe: %v", err)
	}
	f.t.Cleanup(r.sub.Close)
	return r
}

func newReader(ctx context.Context, b *streams.Broker, channel string, start streams.Start) (*reader, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r := &reader{signal: streams.NewSignal(), bytes: 64 << 10}
	var err error
	if r.sub, err = b.Subscribe(ctx, channel, start, r.signal); err == nil {
		r.at = r.sub.Position()
	}
	return r, err
}

// take takes one batch, empty or not.
func (r *reader) take() (streams.Batch, error) {
	b := r.sub.Next(nil, r.bytes)
	if b.From != r.at {
		return b, fmt.Errorf("a batch from %v, the position was %v", b.From, r.at)
	}
	if b.Gap != nil {
		if err := r.checkGap(b); err != nil {
			return b, err
		}
		r.at = b.Gap.Last
		r.gaps = append(r.gaps, *b.Gap)
	}
	for _, e := range b.Events {
		if e.Ephemeral() {
			continue
		}
		if e.Prev != r.at || !e.Prev.Less(e.ID) {
			return b, fmt.Errorf("%v (prev %v) comes after %v", e.ID, e.Prev, r.at)
		}
		r.at = e.ID
	}
	r.events = append(r.events, b.Events...)
	if b.Position != r.at {
		return b, fmt.Errorf("the position is %v after %v", b.Position, r.at)
	}
	return b, nil
}

func (r *reader) checkGap(b streams.Batch) error {
	g := b.Gap
	switch {
	case g.Channel != r.sub.Channel(),
		g.After != r.at && !g.After.IsZero(),
		g.Missed == 0,
		g.Missed != streams.MissedUnknown && g.Reason != streams.Trimmed && g.Reason != streams.Expired,
		len(b.Events) > 0 && !b.Events[0].Ephemeral() && g.Resumed != b.Events[0].ID:
		return fmt.Errorf("at %v this gap: %+v, then %d events", r.at, *g, len(b.Events))
	}
	return nil
}

var errPatience = errors.New("did not come")

// until reads until ok, and waits in between as the contract says: after a
// batch that was empty or Current, to be woken.
func (r *reader) until(ok func() bool) error {
	over := time.NewTimer(patience)
	defer over.Stop()
	for !ok() {
		b, err := r.take()
		if err != nil {
			return err
		}
		if !b.Empty() && !b.Current || ok() || r.sub.Due() {
			continue
		}
		select {
		case <-r.signal:
		case <-over.C:
			return fmt.Errorf("%w: at %v after %d events and %d gaps", errPatience, r.at, len(r.events), len(r.gaps))
		}
	}
	return nil
}

// reads reads until the position is the ID.
func (f fixture) reads(r *reader, to streams.ID) {
	f.Helper()
	if err := r.until(func() bool { return r.at == to }); err != nil {
		f.Fatalf("to %v: %v", to, err)
	}
}

// readsEvents reads until there are so many events.
func (f fixture) readsEvents(r *reader, n int) {
	f.Helper()
	if err := r.until(func() bool { return len(r.events) >= n }); err != nil {
		f.Fatalf("%d events: %v", n, err)
	}
	if len(r.events) != n {
		f.Fatalf("%d events, want %d", len(r.events), n)
	}
}

// readsGap reads until the first gap.
func (f fixture) readsGap(r *reader) streams.Gap {
	f.Helper()
	if err := r.until(func() bool { return len(r.gaps) > 0 }); err != nil {
		f.Fatalf("a gap: %v", err)
	}
	return r.gaps[0]
}

// settles reads until nothing follows for now.
func (f fixture) settles(r *reader) {
	f.Helper()
	current := false
	err := r.until(func() bool {
		if !current {
			b, err := r.take()
			if err != nil {
				f.Fatalf("%v", err)
			}
			current = b.Current
		}
		return current
	})
	if err != nil {
		f.Fatalf("the end: %v", err)
	}
}

// read checks the texts of the events that were read.
func (f fixture) read(r *reader, texts ...string) {
	f.Helper()
	if len(r.events) != len(texts) {
		f.Fatalf("%d events, want %d", len(r.events), len(texts))
	}
	for i, e := range r.events {
		if string(e.Data) != texts[i] {
			f.Fatalf("event %d is %q, want %q", i, e.Data, texts[i])
		}
	}
}

// noGap fails when the reader was told of a gap.
func (f fixture) noGap(r *reader) {
	f.Helper()
	if len(r.gaps) > 0 {
		f.Fatalf("a gap: %+v", r.gaps[0])
	}
}

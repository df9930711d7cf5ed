package streams

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkTailAppend is an event that a full tail takes in, forgetting its
// oldest.
func BenchmarkTailAppend(b *testing.B) {
	const bound = 1000
	var t tail
	t.reset(ID{Ms: 1})
	data := make([]byte, 256)
	b.ReportAllocs()
	for b.Loop() {
		e := &Event{ID: t.newest.next(time.UnixMilli(1)), Prev: t.newest, Data: data}
		if t.offer(e) != heardNew {
			b.Fatal("not new")
		}
		t.drop(t.excess(bound, 1<<20))
	}
}

// BenchmarkMemoryRange is a page of so many events of a full channel.
func BenchmarkMemoryRange(b *testing.B) {
	for _, events := range []int{1, 100, 512} {
		b.Run(fmt.Sprint(events), func(b *testing.B) {
			log := NewMemory(0)
			defer log.Close()
			drafts := make([]Draft, 1000)
			for i := range drafts {
				drafts[i] = Draft{Data: make([]byte, 256)}
			}
			results, err := log.Append(b.Context(), "a", DefaultRetention, drafts)
			if err != nil {
				b.Fatal(err)
			}
			q := Query{From: results[100].ID, Events: events, Bytes: 1 << 20}
			b.ReportAllocs()
			for b.Loop() {
				page, err := log.Range(b.Context(), "a", q)
				if err != nil || len(page.Events) != events {
					b.Fatal(len(page.Events), err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*events), "ns/event")
		})
	}
}

// BenchmarkCatchUp is subscriptions that return together and read 900 events
// that no tail holds any more: the log is read once for all of them.
func BenchmarkCatchUp(b *testing.B) {
	const missed = 900
	for _, subs := range []int{1, 100} {
		b.Run(fmt.Sprint(subs), func(b *testing.B) {
			broker, s := benchBroker(b)
			base := s.Position()
			benchPublish(b, broker, missed)
			s.channel.forgetHeld()
			dst := make([]*Event, 0, missed)
			b.ReportAllocs()
			reads := broker.Stats().HistoryReads
			for b.Loop() {
				catchUp(b, broker, base, subs, missed, dst)
				s.channel.forgetHeld()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*subs*missed), "ns/event")
			b.ReportMetric(float64(broker.Stats().HistoryReads-reads)/float64(b.N), "reads/op")
		})
	}
}

// forgetHeld empties the tail and drops the pages at hand.
func (c *channel) forgetHeld() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tail.reset(c.tail.newest)
	c.dropPages(time.Now())
	c.account()
}

// catchUp has subscriptions read so many events behind base, in turn.
func catchUp(b *testing.B, broker *Broker, base ID, subs, events int, dst []*Event) {
	signal, open := NewSignal(), make([]*Subscription, subs)
	for i := range open {
		s, err := broker.Subscribe(b.Context(), "a", After(base), signal)
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		open[i] = s
	}
	for left := subs * events; left > 0; <-signal {
		for busy := true; busy; {
			busy = false
			for _, s := range open {
				if s.Due() {
					left -= len(s.Next(dst[:0], 1<<20).Events)
					busy = true
				}
			}
		}
		if left == 0 {
			return
		}
	}
}

package streams

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// benchBroker has a broker over a memory log, with a channel followed.
func benchBroker(b *testing.B) (*Broker, *Subscription) {
	log := NewMemory(0)
	broker := NewBroker(BrokerOptions{Log: log, Node: "bench"})
	b.Cleanup(func() {
		_ = broker.Close()
		_ = log.Close()
	})
	s, err := broker.Subscribe(b.Context(), "a", Now(), NewSignal())
	if err != nil {
		b.Fatal(err)
	}
	return broker, s
}

func benchPublish(b *testing.B, broker *Broker, n int) {
	drafts := make([]Draft, n)
	for i := range drafts {
		drafts[i] = Draft{Data: make([]byte, 256), Text: true}
	}
	if _, err := broker.Publish(b.Context(), "a", drafts...); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkNextFromTail is a batch of so many events from the tail.
func BenchmarkNextFromTail(b *testing.B) {
	for _, events := range []int{1, 16, 256} {
		b.Run(fmt.Sprint(events), func(b *testing.B) {
			broker, s := benchBroker(b)
			base := s.Position()
			benchPublish(b, broker, events)
			dst := make([]*Event, 0, events)
			b.ReportAllocs()
			for b.Loop() {
				s.Seek(base, nil)
				if batch := s.Next(dst[:0], 1<<20); len(batch.Events) != events {
					b.Fatalf("%d events", len(batch.Events))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*events), "ns/event")
		})
	}
}

// woken collects the subscriptions that are woken.
type woken struct{ subs []*Subscription }

func (w *woken) Wake(s *Subscription) { w.subs = append(w.subs, s) }

// BenchmarkFanOut is one event to so many subscriptions: each is woken, and
// each asks what is new.
func BenchmarkFanOut(b *testing.B) {
	for _, subs := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(subs), func(b *testing.B) {
			broker, _ := benchBroker(b)
			w := &woken{}
			for range subs {
				s, err := broker.Subscribe(b.Context(), "a", Now(), w)
				if err != nil {
					b.Fatal(err)
				}
				s.Next(nil, 1)
			}
			dst := make([]*Event, 0, 16)
			b.ReportAllocs()
			for b.Loop() {
				benchPublish(b, broker, 1)
				if len(w.subs) != subs {
					b.Fatalf("%d woken", len(w.subs))
				}
				for _, s := range w.subs {
					if batch := s.Next(dst[:0], 1<<20); len(batch.Events) != 1 || !batch.Current {
						b.Fatalf("%+v", batch)
					}
				}
				w.subs = w.subs[:0]
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*subs), "ns/sub")
		})
	}
}

// BenchmarkIdleSubscription is the memory of a subscription that waits: among
// others of its channel, and with a channel of its own, what the engine keeps
// of that included.
func BenchmarkIdleSubscription(b *testing.B) {
	shared := func(int) string { return "a" }
	own := func(i int) string { return fmt.Sprintf("room:%d", i) }
	b.Run("shared", func(b *testing.B) { benchIdle(b, shared) })
	b.Run("own", func(b *testing.B) { benchIdle(b, own) })
}

func benchIdle(b *testing.B, channel func(i int) string) {
	const subs = 50_000
	broker, _ := benchBroker(b)
	w := &woken{}
	for b.Loop() {
		open := make([]*Subscription, subs)
		before := heapAfterCollection()
		for i := range open {
			s, err := broker.Subscribe(b.Context(), channel(i), Now(), w)
			if err != nil {
				b.Fatal(err)
			}
			s.Next(nil, 1)
			open[i] = s
		}
		broker.sweep(time.Now())
		b.ReportMetric(float64(heapAfterCollection()-before)/subs, "bytes/sub")
		for _, s := range open {
			s.Close()
		}
		broker.sweep(time.Now().Add(time.Hour)) // the channels are left
	}
}

func heapAfterCollection() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

package streams

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

// readersEach is how many readers each channel of a crowd has.
const readersEach = 10

// crowd is a node with many subscriptions, all of them waiting.
type crowd struct {
	broker *Broker
	names  []string
	subs   []*Subscription
	woken  *woken
}

// newCrowd is a node that is to have so many subscriptions, readersEach to a
// channel. Their waiter stands for the connections. Channels and tails keep few
// events, so that it is the subscriptions that take memory.
func newCrowd(b *testing.B, subs int) *crowd {
	log := NewMemory(4 << 30)
	keep := Retention{Count: 2, Age: time.Hour}
	c := &crowd{
		broker: NewBroker(BrokerOptions{
			Log: log, Node: "bench", TailEvents: 2, Memory: 1 << 30,
			Retention: func(string) Retention { return keep },
		}),
		names: make([]string, subs/readersEach),
		subs:  make([]*Subscription, 0, subs),
		woken: &woken{},
	}
	b.Cleanup(func() {
		_ = c.broker.Close()
		_ = log.Close()
	})
	for i := range c.names {
		c.names[i] = fmt.Sprintf("room:%d", i)
	}
	return c
}

// subscribe brings a channel's readers in at different times, as in life: they
// do not lie beside each other in memory.
func (c *crowd) subscribe(b *testing.B) {
	for range readersEach {
		for _, name := range c.names {
			s, err := c.broker.Subscribe(b.Context(), name, Now(), c.woken)
			if err != nil {
				b.Fatal(err)
			}
			if batch := s.Next(nil, 1); !batch.Current {
				b.Fatalf("%+v", batch)
			}
			c.subs = append(c.subs, s)
		}
	}
}

// publish has an event reach all readers of a channel.
func (c *crowd) publish(b *testing.B, channel string, dst []*Event) {
	data := make([]byte, 256)
	if _, err := c.broker.Publish(b.Context(), channel, Draft{Data: data, Text: true}); err != nil {
		b.Fatal(err)
	}
	if len(c.woken.subs) != readersEach {
		b.Fatalf("%d woken", len(c.woken.subs))
	}
	for _, s := range c.woken.subs {
		if batch := s.Next(dst[:0], 1<<20); len(batch.Events) != 1 || !batch.Current {
			b.Fatalf("%+v", batch)
		}
	}
	c.woken.subs = c.woken.subs[:0]
}

// BenchmarkMillionSubscriptions is one event to a channel of ten readers on a
// node of so many subscriptions in all: to one channel again and again, and to
// any, where nothing is in the processor's caches. It reports the heap for each
// subscription, its share of the channel and of the engine's included, and what
// the node does now and then for all of them: a sweep, a collection of garbage.
func BenchmarkMillionSubscriptions(b *testing.B) {
	for _, subs := range []int{1000, 1_000_000} {
		if subs > 1000 && testing.Short() {
			continue
		}
		before := heapAfterCollection()
		c := newCrowd(b, subs)
		began := time.Now()
		c.subscribe(b)
		each := time.Since(began) / time.Duration(subs)
		bytes := float64(heapAfterCollection()-before) / float64(subs)
		b.Run(fmt.Sprintf("%d/sweep", subs), func(b *testing.B) {
			for b.Loop() {
				c.broker.sweep(time.Now())
			}
		})
		b.Run(fmt.Sprintf("%d/one", subs), func(b *testing.B) {
			c.bench(b, func() string { return c.names[0] })
			b.ReportMetric(bytes, "heap-B/sub")
			b.ReportMetric(float64(each.Nanoseconds()), "ns/subscribe")
		})
		b.Run(fmt.Sprintf("%d/any", subs), func(b *testing.B) {
			c.bench(b, func() string { return c.names[rand.IntN(len(c.names))] })
		})
		b.Run(fmt.Sprintf("%d/collect", subs), func(b *testing.B) {
			for b.Loop() {
				runtime.GC()
			}
		})
	}
}

func (c *crowd) bench(b *testing.B, channel func() string) {
	dst := make([]*Event, 0, 16)
	b.ReportAllocs()
	for b.Loop() {
		c.publish(b, channel(), dst)
	}
}

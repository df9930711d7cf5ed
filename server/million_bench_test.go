package server

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"runnel/auth"
	"runnel/streams"
)

// feedsEach is how many feeds each channel of an audience has.
const feedsEach = 10

// sink is the socket of all feeds of an audience. It takes everything, and says
// when as many writes have come as were waited for.
type sink struct {
	awaited atomic.Int64
	came    chan struct{}
}

func (s *sink) tryWrite(b []byte) (int, error) {
	if s.awaited.Add(-1) == 0 {
		s.came <- struct{}{}
	}
	return len(b), nil
}

func (*sink) awaitWritable(*feed) error   { return nil }
func (*sink) unacknowledged() (int, bool) { return 0, true }
func (*sink) close()                      {}

// audience is a node with many SSE feeds that share a sink.
type audience struct {
	*node
	sink     *sink
	channels []string
}

func newAudience(b *testing.B, feeds int) *audience {
	still := func(c *Config, _ *auth.Config) {
		c.Pace = Pace{Heartbeat: 24 * time.Hour, Ping: 24 * time.Hour, Silence: 24 * time.Hour}
	}
	a := &audience{node: startNode(b, demo, still), sink: &sink{came: make(chan struct{}, 1)}}
	for i := range feeds / feedsEach {
		a.channels = append(a.channels, fmt.Sprintf("room:%d", i))
	}
	return a
}

// fill starts the feeds of a channel at different times, as in life: they do
// not lie beside each other in memory.
func (a *audience) fill(b *testing.B) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Host, r.RemoteAddr = "localhost", "127.0.0.1:1"
	claims, err := a.authenticate(r)
	if err != nil {
		b.Fatal(err)
	}
	var subs []*streams.Subscription
	for range feedsEach {
		for _, channel := range a.channels {
			f := a.hub.newFeed(sse{}, claims, newConnectionID(""))
			f.outlet = a.sink
			sub, err := a.broker.Subscribe(b.Context(), channel, streams.Now(), f)
			if err != nil {
				b.Fatal(err)
			}
			f.carry(sub)
			subs = append(subs, sub)
			a.start(f, nil)
		}
	}
	eventually(b, "all feeds wait", func() bool {
		return !slices.ContainsFunc(subs, (*streams.Subscription).Due)
	})
}

// publish has an event written to all feeds of a channel.
func (a *audience) publish(b *testing.B, channel string) {
	a.sink.awaited.Store(feedsEach)
	draft := streams.Draft{Data: make([]byte, 100), Text: true}
	if _, err := a.broker.Publish(b.Context(), channel, draft); err != nil {
		b.Fatal(err)
	}
	<-a.sink.came
}

// BenchmarkMillionFeeds is one event written to the ten feeds of a channel, on
// a node with so many feeds in all: to one channel again and again, and to any,
// where nothing is in the processor's caches. It reports the heap for each feed
// with its subscription and its share of the channel.
func BenchmarkMillionFeeds(b *testing.B) {
	for _, feeds := range []int{1000, 1_000_000} {
		if feeds > 1000 && testing.Short() {
			continue
		}
		b.Run(fmt.Sprint(feeds), func(b *testing.B) {
			before := heapAfterCollection()
			a := newAudience(b, feeds)
			a.fill(b)
			each := float64(heapAfterCollection()-before) / float64(feeds)
			b.Run("one", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					a.publish(b, a.channels[0])
				}
				b.ReportMetric(each, "heap-B/feed")
			})
			b.Run("any", func(b *testing.B) {
				for b.Loop() {
					a.publish(b, a.channels[rand.IntN(len(a.channels))])
				}
			})
		})
	}
}

func heapAfterCollection() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

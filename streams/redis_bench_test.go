package streams_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"runnel/streams"
	"runnel/streams/streamstest"
)

// BenchmarkRedisAppend is callers that append one event of 256 bytes at a
// time. Redis runs on the same machine. Events of one channel that wait
// together share a call of the script; keyed ones are looked up and remembered.
func BenchmarkRedisAppend(b *testing.B) {
	for _, c := range []struct {
		callers, channels int
		keys              bool
	}{{1, 1, false}, {64, 5000, false}, {64, 1, false}, {64, 5000, true}} {
		name := fmt.Sprintf("callers=%d/channels=%d", c.callers, c.channels)
		if c.keys {
			name += "/keys"
		}
		b.Run(name, func(b *testing.B) {
			log := openRedis(b, streamstest.StartRedis(b))
			b.ReportAllocs()
			b.ResetTimer()
			var callers sync.WaitGroup
			var number atomic.Int64
			for range c.callers {
				callers.Go(func() {
					draft := []streams.Draft{{Data: make([]byte, 256)}}
					for i := number.Add(1); i <= int64(b.N); i = number.Add(1) {
						if c.keys {
							draft[0].Key = fmt.Sprint(i)
						}
						channel := fmt.Sprint("bench:", i%int64(c.channels))
						if _, err := log.Append(b.Context(), channel, aDay, draft); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			callers.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkRedisRange is a page of 100 events of 256 bytes, as one returning
// client needs it.
func BenchmarkRedisRange(b *testing.B) {
	log := openRedis(b, streamstest.StartRedis(b))
	drafts := make([]streams.Draft, 100)
	for i := range drafts {
		drafts[i].Data = make([]byte, 256)
	}
	results, err := log.Append(b.Context(), "a", aDay, drafts)
	if err != nil {
		b.Fatal(err)
	}
	q := streams.Query{From: results[0].ID, Events: 1000, Bytes: 1 << 20}
	b.ReportAllocs()
	for b.Loop() {
		page, err := log.Range(b.Context(), "a", q)
		if err != nil || len(page.Events) != 100 {
			b.Fatal(len(page.Events), err)
		}
	}
}

package streams_test

import (
	"fmt"
	"sync"
	"testing"

	"runnel/streams"
	"runnel/streams/streamstest"
)

// BenchmarkRedisAppend is 64 callers that append one event at a time, to 16
// channels. Redis runs on the same machine.
func BenchmarkRedisAppend(b *testing.B) {
	log := openRedis(b, streamstest.StartRedis(b))
	draft := []streams.Draft{{Data: make([]byte, 200)}}
	keep := streams.Retention{Count: 1000, Age: 24 * 3600e9}
	b.ReportAllocs()
	b.ResetTimer()
	var callers sync.WaitGroup
	for i := range 64 {
		callers.Go(func() {
			channel := fmt.Sprint("bench:", i%16)
			for range b.N / 64 {
				if _, err := log.Append(b.Context(), channel, keep, draft); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	callers.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

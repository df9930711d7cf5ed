package streams_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"runnel/streams"
)

// BenchmarkBoltPublishers has that many publish, each waiting for its answer,
// to a hundred channels that keep a hundred events each.
func BenchmarkBoltPublishers(b *testing.B) {
	for _, publishers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(publishers), func(b *testing.B) { benchmarkBolt(b, publishers, false) })
		b.Run(fmt.Sprint(publishers, "/keys"), func(b *testing.B) { benchmarkBolt(b, publishers, true) })
	}
}

func benchmarkBolt(b *testing.B, publishers int, keys bool) {
	log := openBolt(b, filepath.Join(b.TempDir(), "log"))
	few := streams.Retention{Count: 100, Age: day.Age}
	body := make([]byte, 256)
	var all sync.WaitGroup
	b.ResetTimer()
	for p := range publishers {
		all.Go(func() {
			for i := p; i < b.N; i += publishers {
				draft := []streams.Draft{{Data: body}}
				if keys {
					draft[0].Key = fmt.Sprint("key ", i)
				}
				if _, err := log.Append(b.Context(), fmt.Sprint("c", i%100), few, draft); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "publishes/s")
}

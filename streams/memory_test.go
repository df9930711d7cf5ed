package streams_test

import (
	"testing"

	"runnel/streams"
)

func BenchmarkMemoryAppend(b *testing.B) {
	m := streams.NewMemory(0)
	defer m.Close()
	draft := []streams.Draft{{Data: make([]byte, 256)}}
	keep := streams.Retention{Count: 1000, Age: 24 * 3600e9}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Append(b.Context(), "a", keep, draft); err != nil {
			b.Fatal(err)
		}
	}
}

package streams_test

import (
	"fmt"
	"testing"

	"runnel/streams"
)

func BenchmarkMemoryAppend(b *testing.B) {
	for _, followed := range []bool{false, true} {
		b.Run(fmt.Sprintf("followed=%v", followed), func(b *testing.B) {
			m := newMemory(b, 0)
			if followed {
				defer m.Follow("a", &silent{})()
			}
			draft := []streams.Draft{{Data: make([]byte, 256)}}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Append(b.Context(), "a", day, draft); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMemoryAppendFull(b *testing.B) {
	m := newMemory(b, 8<<20)
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprint("c", i)
	}
	draft := []streams.Draft{{Data: make([]byte, 256)}}
	i := 0
	for b.Loop() {
		if _, err := m.Append(b.Context(), names[i%len(names)], day, draft); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

package streams_test

import (
	"path/filepath"
	"testing"

	"runnel/streams"
	"runnel/streams/streamstest"
)

func TestBolt(t *testing.T) {
	streamstest.Run(t, func(t *testing.T) streams.Log { return openBolt(t, filepath.Join(t.TempDir(), "log")) })
}

func openBolt(t testing.TB, path string) *streams.Bolt {
	t.Helper()
	b, err := streams.OpenBolt(path, streams.BoltOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

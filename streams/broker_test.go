package streams_test

import (
	"testing"

	"runnel/streams"
	"runnel/streams/streamstest"
)

func TestBrokerOnMemory(t *testing.T) {
	t.Parallel()
	streamstest.RunBroker(t, func(t *testing.T) streams.Log { return newMemory(t, 0) })
}

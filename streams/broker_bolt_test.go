package streams_test

import (
	"testing"

	"runnel/streams"
	"runnel/streams/streamstest"
)

func TestBrokerOnBolt(t *testing.T) {
	t.Parallel()
	streamstest.RunBroker(t, func(t *testing.T) streams.Log { return openBolt(t, boltPath(t)) })
}

package streams_test

import (
	"testing"

	"runnel/streams"
	"runnel/streams/streamstest"
)

func TestBrokerOnRedis(t *testing.T) {
	server := streamstest.StartRedis(t)
	plain := plainClient(t, server)
	streamstest.RunBroker(t, func(t *testing.T) streams.Log {
		if err := plain.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		return openRedis(t, server)
	})
}

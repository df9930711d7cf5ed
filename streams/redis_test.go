package streams_test

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"runnel/streams"
	"runnel/streams/streamstest"
)

func TestRedisSuite(t *testing.T) {
	server := streamstest.StartRedis(t)
	plain := plainClient(t, server)
	streamstest.Run(t, func(t *testing.T) streams.Log {
		if err := plain.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		return openRedis(t, server)
	})
}

// plainClient is a client that looks at the server as an operator does.
func plainClient(tb testing.TB, server *streamstest.RedisServer) *redis.Client {
	tb.Helper()
	options, err := redis.ParseURL(server.URL())
	if err != nil {
		tb.Fatal(err)
	}
	options.DisableIdentity = true
	options.Protocol = 2
	c := redis.NewClient(options)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func openRedis(tb testing.TB, server *streamstest.RedisServer) *streams.Redis {
	tb.Helper()
	log, err := streams.OpenRedis(streams.RedisOptions{URL: server.URL()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := log.Close(); err != nil {
			tb.Error(err)
		}
	})
	return log
}

package main

import (
	"log/slog"
	"net/url"
	"strings"

	"runnel/auth"
	"runnel/streams"
)

// store is an engine of the log and what goes with it.
type store struct {
	streams.Log
	name       string        // for people, without a password
	durable    bool          // it outlives the node
	records    auth.Records  // nil: it keeps nothing
	reconnects func() uint64 // nil: there is nothing to reconnect to
}

// openStore opens the configured engine. A Redis that is away is waited for.
func (c *Config) openStore(logger *slog.Logger) (*store, error) {
	scheme, rest, _ := strings.Cut(c.Store, ":")
	switch scheme {
	case "memory":
		return &store{Log: streams.NewMemory(int64(c.Memory)), name: "memory"}, nil
	case "bolt":
		log, err := streams.OpenBolt(rest, streams.BoltOptions{Logger: logger})
		if err != nil {
			return nil, err
		}
		return &store{Log: log, name: "bolt:" + rest, durable: true, records: log}, nil
	}
	log, err := streams.OpenRedis(streams.RedisOptions{
		URL: c.Store, PoolSize: c.RedisPoolSize, Replicas: c.RedisWait, Logger: logger,
		DialTimeout: c.RedisDialTimeout, ReadTimeout: c.RedisTimeout, WriteTimeout: c.RedisTimeout,
	})
	if err != nil {
		return nil, usage("--store: %w", err)
	}
	return &store{Log: log, name: withoutPassword(c.Store), durable: true, records: log, reconnects: log.Reconnects}, nil
}

func withoutPassword(store string) string {
	u, err := url.Parse(store)
	if err != nil {
		return "redis"
	}
	u.User = nil
	return u.String()
}

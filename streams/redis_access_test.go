package streams_test

import (
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"runnel/hubtest"
	"runnel/streams"
	"runnel/streams/streamstest"
)

// The least a Redis user has to be allowed, another database, and a warning
// about a server that would throw events away.
func TestRedisAccess(t *testing.T) {
	server := streamstest.StartRedis(t, "--maxmemory-policy", "allkeys-lru")
	plain := plainClient(t, server)
	err := plain.Do(t.Context(), "ACL", "SETUSER", "hub", "on", ">s3cret/word", "~runnel:*", "&runnel:*",
		"+hello", "+auth", "+ping", "+select", "+info", "+eval", "+evalsha", "+time", "+exists", "+get", "+mget", "+getex", "+set",
		"+ttl", "+expire", "+pexpire", "+xadd", "+xtrim", "+xrange", "+xrevrange", "+xinfo|stream",
		"+publish", "+subscribe", "+unsubscribe", "+wait", "+scan", "+xlen").Err()
	if err != nil {
		t.Fatal(err)
	}
	var lines hubtest.Output
	log := openRedisWith(t, streams.RedisOptions{
		URL:    "redis://hub:s3cret%2Fword@" + server.Addr + "/3",
		Logger: slog.New(slog.NewTextHandler(&lines, nil)),
	})
	ear := listen(t, log, "a")
	add(t, log, "a", text("1"), streams.Draft{Data: []byte("2"), Ephemeral: true, Key: "k"})
	within(t, "both events", func() bool { return ear.count() == 2 })
	read(t, log, "a", everything)
	if _, err := log.Heads(t.Context(), []string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	if page, err := log.Stored(t.Context(), streams.Listing{Limit: 10}); err != nil || len(page.Channels) != 1 {
		t.Fatal(page, err)
	}
	if ok, err := log.SwapRecord(t.Context(), "r", nil, []byte("v"), time.Minute); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if v, err := log.Record(t.Context(), "r"); string(v) != "v" || err != nil {
		t.Fatal(v, err)
	}
	if n := plain.DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys in database 0", n)
	}
	if n := strings.Count(lines.String(), "maxmemory_policy=allkeys-lru"); n != 1 {
		t.Errorf("%d warnings: %s", n, lines.String())
	}
	wrong := openRedisWith(t, streams.RedisOptions{URL: "redis://hub:other@" + server.Addr})
	if _, err := wrong.Append(t.Context(), "a", aDay, []streams.Draft{text("x")}); !errors.Is(err, streams.ErrUnavailable) {
		t.Error(err)
	}
}

func TestRedisURL(t *testing.T) {
	for url, want := range map[string]string{
		"":                                    "begins with redis://",
		"localhost:6379":                      "begins with redis://",
		"http://localhost":                    "begins with redis://",
		"redis+sentinel://h,h/master":         "redis+sentinel:// is not supported yet",
		"redis+cluster://h,h":                 "redis+cluster:// is not supported yet",
		"redis://u:s3cret@localhost/a":        "database",
		"redis://u:s3cret@local host":         "wrong",
		"redis://u:s3cret@localhost:port":     "wrong",
		"rediss://u:s3cret%zz@localhost":      "wrong",
		"redis://u:s3cret@localhost/1?foo=ba": "wrong",
	} {
		_, err := streams.OpenRedis(streams.RedisOptions{URL: url})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestRedisTLS(t *testing.T) {
	cert, key := hubtest.Certificate(t, t.TempDir(), "nobody trusts it")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	streamstest.StartRedis(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key,
		"--tls-ca-cert-file", cert, "--tls-auth-clients", "no")

	log := openRedisWith(t, streams.RedisOptions{URL: "rediss://127.0.0.1:" + port + "?skip_verify=true"})
	ear := listen(t, log, "a")
	add(t, log, "a", text("1"))
	within(t, "the event", func() bool { return ear.count() == 1 })
	resyncs := ear.times()
	log.Refollow()
	within(t, "another Resync", func() bool { return ear.times() > resyncs })

	distrustful := openRedisWith(t, streams.RedisOptions{URL: "rediss://127.0.0.1:" + port})
	_, err = distrustful.Append(t.Context(), "a", aDay, []streams.Draft{text("2")})
	if !errors.Is(err, streams.ErrUnavailable) || !strings.Contains(err.Error(), "certificate") {
		t.Error(err)
	}
}

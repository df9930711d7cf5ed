package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"runnel/streams/streamstest"
)

// command sends a command to Redis and returns the first line of its answer.
func command(t *testing.T, redis *streamstest.RedisServer, line string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", redis.Addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "%s\r\n", line)
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || strings.HasPrefix(answer, "-") {
		t.Fatalf("redis: %s: %q, %v", line, answer, err)
	}
	return strings.TrimSpace(answer)
}

// TestTwoNodes: one log, the same IDs, wherever one asks.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	redis := streamstest.StartRedis(t)
	a, b := startNode(t, "--store", redis.URL()), startNode(t, "--store", redis.URL())
	fa, fb := a.subscribe(events("c")), b.subscribe(events("c"))
	s, _ := b.subscribeSocket("c", "")
	ids := []string{a.publish("c", "of a"), b.publish("c", "of b")}
	for _, f := range []*feed{fa, fb} {
		if got := f.want("of a", "of b"); !slices.Equal(got, ids) {
			t.Errorf("the feed has the IDs %q, the publishers %q", got, ids)
		}
	}
	if got := s.wantEvents("of a", "of b"); !slices.Equal(got, ids) {
		t.Errorf("the WebSocket has the IDs %q, the publishers %q", got, ids)
	}
	a.post("c", "?ephemeral=true", "brief", asText)
	if d := fb.read(); d.data != "brief" || d.hasID {
		t.Errorf("on the other node the ephemeral event is %+v", d)
	}
	key := "Idempotency-Key: once"
	if first, again := a.publish("c", "once", key), b.publish("c", "once", key); first != again {
		t.Errorf("one key has the IDs %s and %s", first, again)
	}
	fb.want("once")
	// One node's connection can be excluded by who publishes on the other.
	excluded := openFeed(t, a.Addr, events("c"))
	mine := excluded.welcome().Connection
	b.published(b.post("c", "?exclude="+mine, "not me", asText))
	b.publish("c", "all")
	if d := excluded.read(); d.event != "runnel.position" {
		t.Errorf("instead of the excluded event comes %+v", d)
	}
	excluded.want("all")
	fb.want("not me", "all")
}

// TestWanderer changes node and transport at every reconnect while two publish
// on both nodes.
func TestWanderer(t *testing.T) {
	t.Parallel()
	redis := streamstest.StartRedis(t)
	a, b := startNode(t, "--store", redis.URL()), startNode(t, "--store", redis.URL())
	const count = 200
	v := &traveller{t: t, channel: "c"}
	v.beginning(a.Addr)
	one := startStorm("c", "one", count, time.Millisecond, a.Addr, b.Addr)
	two := startStorm("c", "two", count, time.Millisecond, b.Addr, a.Addr)
	travelUntil(v, 2*count, v.alternately(a, b))
	v.check(one, two)
}

// alternately names the nodes in turn.
func (v *traveller) alternately(nodes ...*node) func() string {
	return func() string { return nodes[v.trips%len(nodes)].Addr }
}

// TestRedisAway stops Redis and starts it again with what it kept: publishing
// says so meanwhile, delivery goes on by itself, and nothing acknowledged is
// lost.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	redis := streamstest.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	a, b := startNode(t, "--store", redis.URL(), "--redis-timeout", "1s"), startNode(t, "--store", redis.URL(), "--redis-timeout", "1s")
	f := b.subscribe(events("c"))
	a.publish("c", "before")
	f.want("before")
	position := f.lastID
	v := &traveller{t: t, channel: "storm"}
	v.beginning(a.Addr)
	s := startStorm("storm", "s", 60, 10*time.Millisecond, a.Addr, b.Addr)
	holdFor(200 * time.Millisecond)
	redis.Stop()

	t.Run("away", func(t *testing.T) { wantAway(t, a, redis, position) })

	redis.Restart()
	a.AwaitReady()
	b.AwaitReady()
	a.publish("c", "after")
	f.want("after") // the same connection
	n := &traveller{t: t, channel: "c", position: position}
	n.trip(a.Addr, n.until(1))
	if !slices.Equal(n.seen, []string{"after"}) || len(n.gaps) > 0 {
		t.Errorf("who comes back gets %q, gaps %+v", n.seen, n.gaps)
	}
	travelUntil(v, 60, v.alternately(a, b))
	v.check(s)
}

// wantAway checks what a node says, of each transport, while Redis is away.
// Much of it waits some seconds for Redis first, which is why all is asked at once.
func wantAway(t *testing.T, n *node, redis *streamstest.RedisServer, position string) {
	for name, check := range map[string]func(t *testing.T){
		"publish": func(t *testing.T) {
			wantError(t, call(t, "POST", n.URL+events("c"), "lost", asText), 503, "unavailable")
		},
		"batch": func(t *testing.T) {
			a := call(t, "POST", n.URL+"/events", `[{"channel":"c","text":"lost"}]`, asJSON)
			if a.status == 200 && !slices.Equal(outcomes(t, a), []string{"unavailable"}) {
				t.Errorf("a batch: %s", a.body)
			}
		},
		"health": func(t *testing.T) {
			within(t, "the node is not ready", func() bool { return n.Ready() == http.StatusServiceUnavailable })
			if body := string(call(t, "GET", n.URL+"/readyz", "").body); !strings.Contains(body, "cause") && !strings.Contains(body, redis.Addr) {
				t.Errorf("the node is not ready without a cause: %s", body)
			}
			if got := call(t, "GET", n.URL+"/healthz", "").status; got != 200 {
				t.Errorf("the node is not alive: %d", got)
			}
		},
		"history": func(t *testing.T) { wantError(t, call(t, "GET", n.URL+events("fresh"), ""), 503, "unavailable") },
		"feed": func(t *testing.T) {
			r := wantRefusal(openFeed(t, n.Addr, events("fresh")+"?last_event_id="+position), "unavailable")
			if r.id != position {
				t.Errorf("the given position was %q, the block's ID is %q", position, r.id)
			}
		},
		"socket": func(t *testing.T) { openSocket(t, n.Addr, "/ws?channel=fresh").wantCloseAfterWelcome(1013) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t)
		})
	}
}

// wantCloseAfterWelcome is wantClose where nothing but a welcome may come
// before.
func (s *socket) wantCloseAfterWelcome(code int) {
	s.t.Helper()
	for _, m := range s.wantClose(code) {
		if m.Type != "welcome" {
			s.t.Errorf("before the close comes %s", m.raw)
		}
	}
}

// TestRedisEmptied: where Redis kept nothing, a gap says so, to those who are
// connected and to those who come back; what comes after arrives.
func TestRedisEmptied(t *testing.T) {
	t.Parallel()
	for name, empty := range map[string]func(t *testing.T, redis *streamstest.RedisServer){
		"flushed": func(t *testing.T, redis *streamstest.RedisServer) { command(t, redis, "FLUSHALL") },
		"restarted": func(t *testing.T, redis *streamstest.RedisServer) {
			redis.Kill()
			redis.Restart()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := streamstest.StartRedis(t)
			a, b := startNode(t, "--store", redis.URL()), startNode(t, "--store", redis.URL())
			f := b.subscribe(events("c"))
			a.publish("c", "1")
			a.publish("c", "2")
			f.want("1", "2")
			position := f.lastID
			empty(t, redis)
			a.AwaitReady()
			var id string
			within(t, "Redis is back", func() bool { id = publishOnce(a.Addr, "c", "3"); return id != "" })
			if g := f.gap(); g.Missed != nil || g.Reason != "unknown" && g.Reason != "rollback" || *g.After != position {
				t.Errorf("the gap is %+v", g)
			}
			if got := f.want("3"); got[0] != id {
				t.Errorf("the event has the ID %s, published with %s", got[0], id)
			}
			for transport := range 3 {
				v := &traveller{t: t, channel: "c", position: position, trips: transport}
				v.trip(a.Addr, v.until(1))
				if !slices.Equal(v.seen, []string{"3"}) || len(v.gaps) != 1 || v.gaps[0].Missed != nil {
					t.Errorf("who comes back gets %q, gaps %+v", v.seen, v.gaps)
				}
			}
		})
	}
}

// TestRedisPaused: a Redis that hangs is no reason to hang, nor to lie.
func TestRedisPaused(t *testing.T) {
	t.Parallel()
	redis := streamstest.StartRedis(t)
	n := startNode(t, "--store", redis.URL(), "--redis-timeout", "1s")
	v := &traveller{t: t, channel: "c"}
	v.beginning(n.Addr)
	s := startStorm("c", "s", 60, 5*time.Millisecond, n.Addr)
	holdFor(100 * time.Millisecond)
	redis.Pause()
	defer redis.Resume()
	began := time.Now()
	a := n.post("c2", "", "perhaps", asText, "Idempotency-Key: perhaps")
	switch a.status {
	case http.StatusGatewayTimeout:
		wantError(t, a, 504, "unknown_outcome")
	default:
		wantError(t, a, 503, "unavailable")
	}
	if took := time.Since(began); took > patience {
		t.Errorf("the answer took %v", took)
	}
	within(t, "the node is not ready", func() bool { return n.Ready() == http.StatusServiceUnavailable })
	redis.Resume()
	n.AwaitReady()
	// The same key, whatever became of the first: once.
	n.publish("c2", "perhaps", "Idempotency-Key: perhaps")
	if got := payloads(n.history("c2", "").Events); !slices.Equal(got, []string{"perhaps"}) {
		t.Errorf("published again with the key: %q", got)
	}
	travelUntil(v, 60, func() string { return n.Addr })
	v.check(s)
}

// TestSubscribersKilled: Redis ends the hub's subscriptions again and again;
// connected readers miss nothing.
func TestSubscribersKilled(t *testing.T) {
	t.Parallel()
	redis := streamstest.StartRedis(t)
	a, b := startNode(t, "--store", redis.URL()), startNode(t, "--store", redis.URL())
	const count = 300
	feeds := []*traveller{{t: t, channel: "c", trips: 2}, {t: t, channel: "c", trips: 0}}
	for _, v := range feeds {
		v.position = a.history("c", "").LastEventID
	}
	s := startStorm("c", "s", count, time.Millisecond, a.Addr)
	read := make(chan struct{})
	for i, v := range feeds {
		go func() {
			defer func() { read <- struct{}{} }()
			v.trip([]string{a.Addr, b.Addr}[i], v.until(count)) // one connection
		}()
	}
	kills := time.NewTicker(50 * time.Millisecond)
	defer kills.Stop()
	for left := len(feeds); left > 0; {
		select {
		case <-read:
			left--
		case <-kills.C:
			command(t, redis, "CLIENT KILL TYPE pubsub")
		}
	}
	for _, v := range feeds {
		v.check(s)
	}
}

// TestRedisRefuses: where nobody listens a feed need not wait to be told so.
func TestRedisRefuses(t *testing.T) {
	t.Parallel()
	redis := streamstest.StartRedis(t)
	redis.Stop()
	n := launch(t, nil, "--store", redis.URL())
	for range 3 {
		began := time.Now()
		f := openFeed(t, n.Addr, events("c"))
		if b := f.read(); b.event != "runnel.error" || !strings.Contains(b.data, `"unavailable"`) {
			t.Errorf("%+v", b)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("the answer took %v", took)
		}
	}
	redis.Restart()
	n.AwaitReady()
	f := n.subscribe(events("c"))
	n.publish("c", "there")
	f.want("there")
}

// TestRedisRefusesThePassword: nothing can have been published, and the
// operator reads why, at start and until it is set right.
func TestRedisRefusesThePassword(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "redis.sock")
	redis := streamstest.StartRedis(t, "--unixsocket", socket)
	command(t, redis, "ACL SETUSER hub on >right ~* &* +@all")
	for name, store := range map[string]string{
		"at " + redis.Addr: "redis://hub:s3cret@" + redis.Addr,
		"at " + socket:     "redis+unix://hub:s3cret@" + socket + "?db=1",
	} {
		n := launch(t, nil, "--store", store)
		wantError(t, n.post("c", "", "1", asText), 503, "unavailable")
		wantError(t, call(t, "GET", n.URL+events("c"), ""), 503, "unavailable")
		within(t, "the cause is said", func() bool {
			return strings.Contains(string(call(t, "GET", n.URL+"/readyz", "").body), "the Redis "+name+" refuses the password")
		})
		command(t, redis, "ACL SETUSER hub >s3cret")
		n.AwaitReady()
		n.publish("c", "2")
		if got := payloads(n.history("c", "").Events); !slices.Equal(got, []string{"2"}) {
			t.Errorf("the history is %q", got)
		}
		if said := n.Log(); strings.Contains(said, "lost the Redis") || strings.Contains(said, "again\n") || strings.Contains(said, "s3cret") || strings.Count(said, "the Redis cannot be followed") != 1 {
			t.Errorf("the log: %s", said)
		}
		command(t, redis, "ACL SETUSER hub <s3cret")
	}
}

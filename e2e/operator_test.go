package e2e

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"runnel/hubtest"
	"runnel/streams/streamstest"
)

type figures struct {
	Node                            string
	Connections, SSE, WebSocket     int
	Channels, Subscriptions         int
	Publishes, Deliveries, Lag      uint64
	PublishesPerSecond              float64 `json:"publishes_per_second"`
	MemoryBytes                     uint64  `json:"memory_bytes"`
	Errors, Gaps                    map[string]uint64
	UptimeSeconds, Goroutines, Poll int
}

type channelList struct {
	Channels []struct {
		Channel     string
		Readers     int
		LastEventID *string `json:"last_event_id"`
		Lag         uint64
	}
	More bool
}

type channelLook struct {
	Log struct {
		Base, First, Last *string
		Events            int
	}
	Here    *struct{ Readers int }
	Readers []struct{ Connection, Transport, User, Position string }
	More    bool
}

func look[T any](n *node, path string, headers ...string) T {
	n.t.Helper()
	a := call(n.t, "GET", n.URL+path, "", headers...)
	if a.status != http.StatusOK {
		n.t.Fatalf("GET %s: %d %s", path, a.status, a.body)
	}
	return parse[T](n.t, a.body)
}

func TestOperatorRights(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--api-key", apiKey, "--jwt-secret", secret)
	as := func(token string) string { return "Authorization: Bearer " + token }
	user := as(hubtest.Token(t, secret, "--sub", "ann", "--subscribe", "**", "--publish", "**"))
	admin := as(hubtest.Token(t, secret, "--sub", "ops", "--admin"))
	for _, path := range []string{"/node", "/channels", "/channels/a"} {
		wantError(t, call(t, "GET", n.URL+path, ""), 401, "unauthorized")
		wantError(t, call(t, "GET", n.URL+path, "", user), 403, "forbidden")
		wantError(t, call(t, "GET", n.URL+path, "", as(apiKey)), 403, "forbidden")
		if a := call(t, "GET", n.URL+path, "", admin); a.status != 200 {
			t.Errorf("%s: an admin gets %d %s", path, a.status, a.body)
		}
	}
	for _, path := range []string{"/channels?limit=0", "/channels?limit=1001", "/channels?limit=x", "/channels/a%2Fb"} {
		wantError(t, call(t, "GET", n.URL+path, "", admin), 400, "bad_request")
	}
	// The figures are for admins; users' channels are not.
	wantError(t, call(t, "GET", n.URL+events("$node:"+n.Name), "", user), 403, "forbidden")
	wantError(t, call(t, "GET", n.URL+events("a"), "", admin), 403, "forbidden")
	f := n.subscribe(events("$node:"+n.Name), admin, asFeed)
	defer f.close()
	if got := parse[figures](t, []byte(f.read().data)); got.Node != n.Name || got.MemoryBytes == 0 {
		t.Errorf("the node publishes %+v", got)
	}
	// The page itself holds no secrets: who opens it is asked for a token.
	if a := call(t, "GET", n.URL+"/operator", ""); a.status != 200 || !strings.Contains(string(a.body), "<title>") {
		t.Errorf("/operator: %d %s", a.status, a.body)
	}
}

func TestOperatorFiguresMove(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--store", streamstest.StartRedis(t).URL())
	before := look[figures](n, "/node")
	f := n.subscribe(events("a"), asFeed)
	defer f.close()
	n.publish("a", "1")
	n.publish("a", "2")
	f.want("1", "2")
	wantError(t, call(t, "GET", n.URL+events("a")+"?limit=0", ""), 400, "bad_request")
	within(t, "the figures move", func() bool {
		now := look[figures](n, "/node")
		return now.SSE == 1 && now.Connections == 1 && now.Publishes == before.Publishes+2 && now.Deliveries >= before.Deliveries+2 &&
			now.Subscriptions == 1 && now.Errors["bad_request"] == 1 && now.Goroutines > 0 && now.Lag == 0
	})
	f.close()
	within(t, "the reader is gone", func() bool { return look[figures](n, "/node").Connections == 0 })
}

func TestOperatorChannels(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	names := []string{"room:a", "room:b", "room:c", "other"}
	for _, name := range names {
		defer n.subscribe(events(name), asFeed).close()
	}
	first := look[channelList](n, "/channels?prefix=room:&limit=2")
	if len(first.Channels) != 2 || !first.More || first.Channels[0].Channel != "room:a" || first.Channels[1].Readers != 1 {
		t.Errorf("the first page is %+v", first)
	}
	last := look[channelList](n, "/channels?prefix=room:&limit=2&after=room:b")
	if len(last.Channels) != 1 || last.More || last.Channels[0].Channel != "room:c" {
		t.Errorf("the last page is %+v", last)
	}
	one, two := n.publish("other", "1"), n.publish("other", "2")
	within(t, "the reader has got both", func() bool {
		c := look[channelLook](n, "/channels/other")
		return len(c.Readers) == 1 && c.Readers[0].Position == two && c.Readers[0].Transport == "sse" && c.Readers[0].Connection != ""
	})
	c := look[channelLook](n, "/channels/other")
	if c.Log.Events != 2 || *c.Log.First != one || *c.Log.Last != two || c.Here == nil || c.Here.Readers != 1 {
		t.Errorf("the channel is %+v", c)
	}
	if c := look[channelLook](n, "/channels/unread"); c.Here != nil || len(c.Readers) != 0 || c.Log.Events != 0 || c.Log.First != nil {
		t.Errorf("a channel nobody reads is %+v", c)
	}
}

// Each node of a Redis learns of the others, and can be watched from any.
func TestOperatorNodes(t *testing.T) {
	t.Parallel()
	redis := streamstest.StartRedis(t)
	one, two := startNode(t, "--store", redis.URL()), startNode(t, "--store", redis.URL())
	f := one.subscribe("/events?channel=$nodes&channel=$node:"+two.Name, asFeed)
	defer f.close()
	heard, watched := map[string]bool{}, false
	for len(heard) < 2 || !watched {
		e := f.envelope()
		got := parse[figures](t, e.Data)
		if e.Channel == "$nodes" {
			heard[got.Node] = true
		} else {
			watched = got.Node == two.Name && got.MemoryBytes > 0
		}
	}
	if !heard[one.Name] || !heard[two.Name] {
		t.Errorf("heard of %v, there are %s and %s", heard, one.Name, two.Name)
	}
}

// adminURL is where a hub with --admin-listen says that it serves operators. What
// a process writes arrives a moment later.
func (n *node) adminURL() string {
	n.t.Helper()
	var m []string
	within(n.t, "the log names the admin address", func() bool {
		m = regexp.MustCompile(`serving health, metrics and pprof" address=(\S+)`).FindStringSubmatch(n.Log())
		return m != nil
	})
	return "http://" + m[1]
}

// The admin address asks for no token, and has no page: it would need feeds.
func TestOperatorElsewhere(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--api-key", apiKey, "--jwt-secret", secret, "--admin-listen", "127.0.0.1:0")
	admin := n.adminURL()
	for _, path := range []string{"/node", "/channels", "/channels/a"} {
		if a := call(t, "GET", admin+path, ""); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		wantError(t, call(t, "GET", n.URL+path, ""), 401, "unauthorized")
	}
	for _, path := range []string{"/operator", "/operator/app.js", "/runnel.js", "/events?channel=$nodes"} {
		wantError(t, call(t, "GET", admin+path, ""), 404, "not_found")
	}
	if a := call(t, "GET", admin+"/operator", ""); !strings.Contains(string(a.body), "public address") {
		t.Errorf("/operator does not say where it is: %s", a.body)
	}
}

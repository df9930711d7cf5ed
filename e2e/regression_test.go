package e2e

import (
	"strings"
	"testing"
	"time"

	"runnel/hubtest"
)

// TestExpiry: the feed warns, and ends with its token.
func TestExpiry(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--jwt-secret", secret)
	short := hubtest.Token(t, secret, "--sub", "ann", "--subscribe", "c", "--publish", "c", "--ttl", "8s")
	f := openFeed(t, n.Addr, events("c")+"?access_token="+short)
	if w := f.welcome(); w.User == nil || *w.User != "ann" {
		t.Errorf("the welcome is %+v", w)
	}
	s, _ := n.subscribeSocket("c", "?access_token="+short)
	n.publish("c", "x", "Authorization: Bearer "+short)
	// The token is in its last minute from the start.
	kinds := map[string]int{}
	began := time.Now()
	for {
		b, err := f.next()
		if err == f.cut {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds[b.event]++
	}
	if took := time.Since(began); took > patience {
		t.Errorf("a token of 8 s opens a feed of %v", took)
	}
	if kinds["runnel.expiring"] != 1 || kinds[""] != 1 || kinds["runnel.error"] != 1 {
		t.Errorf("over the feed came %v", kinds)
	}
	clear(kinds)
	for _, m := range s.wantClose(4001) {
		kinds[m.Type]++
	}
	if kinds["expiring"] != 1 || kinds["event"] != 1 {
		t.Errorf("over the WebSocket came %v", kinds)
	}
	wantError(t, call(t, "GET", n.URL+events("c")+"?access_token="+short, "", asFeed), 401, "unauthorized")
}

// TestHistoryHasNoEphemeral: what was never stored is no history.
func TestHistoryHasNoEphemeral(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	f := n.subscribe(events("c")) // has the node follow the channel
	first := n.publish("c", "1")
	n.publish("c", "2")
	n.post("c", "?ephemeral=true", "brief", asText)
	f.want("1", "2")
	if b := f.read(); b.data != "brief" {
		t.Fatalf("the feed brings %+v", b)
	}
	for _, query := range []string{"?last_event_id=" + first, "?last_event_id=earliest", "?rewind=2", "?since=1h", ""} {
		for _, e := range n.history("c", query).Events {
			if e.ID == "" {
				t.Errorf("history%s has %q", query, e.payload())
			}
		}
	}
}

// TestNotFoundInDemoMode: errors are JSON there, too.
func TestNotFoundInDemoMode(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	a := call(t, "GET", n.URL+"/channels/a/nothing", "")
	if !strings.HasPrefix(string(a.body), "{") {
		t.Errorf("status %d: %q", a.status, a.body)
	}
}

// TestNoHandshake: a request that is none is refused, and the hub goes on.
func TestNoHandshake(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	for _, header := range []string{"X: y", "Upgrade: websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8"} {
		status := raw(t, n.Addr, "GET /ws HTTP/1.1\r\nHost: "+n.Addr+"\r\n"+header+"\r\n\r\n")
		if status < 400 || status >= 500 {
			t.Errorf("%q: status %d", header, status)
		}
	}
	n.publish("c", "alive")
}

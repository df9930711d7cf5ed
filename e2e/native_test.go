package e2e

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/r3labs/sse/v2"
	"gopkg.in/cenkalti/backoff.v1"

	"runnel/faultproxy"
)

// TestR3labs: the library of Go programs, live, after a cut and after a
// restart of the hub.
func TestR3labs(t *testing.T) {
	t.Parallel()
	n := startNode(t, stores(t)["bolt"]...)
	proxy, err := faultproxy.Listen(n.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	ctx, cancel := context.WithCancel(t.Context())
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	connected, got, ended := make(chan string, 16), make(chan string, 16), make(chan struct{})
	go func() {
		defer close(ended)
		client := sse.NewClient("http://" + proxy.Addr() + events("c"))
		client.Connection.Transport = transport
		for ctx.Err() == nil { // a clean end of the stream ends Subscribe
			again := backoff.NewConstantBackOff(50 * time.Millisecond)
			client.ReconnectStrategy = backoff.WithContext(again, ctx)
			client.SubscribeRawWithContext(ctx, func(e *sse.Event) {
				switch {
				case string(e.Event) == "runnel.welcome":
					connected <- string(e.Data)
				case len(e.Event) == 0 && len(e.Data) > 0: // it also calls for a block of retry: alone
					got <- string(e.Data)
				}
			})
		}
	}()
	defer func() { cancel(); <-ended }()
	want := func(data string) {
		t.Helper()
		select {
		case d := <-got:
			if d != data {
				t.Fatalf("the library brings %q, want %q", d, data)
			}
		case <-time.After(patience):
			t.Fatalf("the library does not bring %q", data)
		}
	}
	select {
	case <-connected:
	case <-time.After(patience):
		t.Fatal("the library does not connect")
	}
	n.publish("c", "live")
	want("live")
	proxy.Set(faultproxy.Faults{Refuse: true})
	proxy.Cut()
	n.publish("c", "while cut off")
	proxy.Set(faultproxy.Faults{})
	want("while cut off")
	n.Stop()
	n.Restart()
	n.publish("c", "after the restart")
	want("after the restart")
}

// TestCoderWebsocket: the other library, live and from its last event.
func TestCoderWebsocket(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dial := func(query string) *websocket.Conn {
		t.Helper()
		conn, _, err := websocket.Dial(ctx, n.URL+"/channels/c/ws"+query, &websocket.DialOptions{HTTPClient: web, CompressionMode: websocket.CompressionContextTakeover})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.CloseNow() })
		return conn
	}
	read := func(conn *websocket.Conn, kind string) (m message) {
		t.Helper()
		if err := wsjson.Read(ctx, conn, &m); err != nil || m.Type != kind {
			t.Fatalf("the library brings %+v, %v, want %s", m, err, kind)
		}
		return m
	}
	conn := dial("")
	read(conn, "welcome")
	read(conn, "subscribed")
	n.publish("c", "live")
	id := read(conn, "event").ID
	if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("the close handshake: %v", err)
	}
	n.publish("c", "meanwhile")
	conn = dial("?last_event_id=" + id)
	read(conn, "welcome")
	read(conn, "subscribed")
	if e := read(conn, "event"); e.payload() != "meanwhile" {
		t.Errorf("the library brings %+v", e)
	}
	if err := wsjson.Write(ctx, conn, map[string]any{"type": "publish", "text": "mine", "echo": false}); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for range 2 {
		var m message
		if err := wsjson.Read(ctx, conn, &m); err != nil {
			t.Fatal(err)
		}
		kinds[m.Type] = true
	}
	if !kinds["published"] || !kinds["position"] {
		t.Errorf("the library brings %v", kinds)
	}
}

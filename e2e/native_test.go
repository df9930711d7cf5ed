package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/r3labs/sse/v2"
	"gopkg.in/cenkalti/backoff.v1"

	"runnel/faultproxy"
)

// TestR3labs: one SubscribeRaw of the library of Go programs gets every event
// once, whatever ends its connections: a cut on the way, kill -9, a node that
// drains, one that has no room for it yet.
func TestR3labs(t *testing.T) {
	t.Parallel()
	n := startNode(t, append(stores(t)["bolt"], "--max-connections-per-ip", "2")...)
	proxy, err := faultproxy.Listen(n.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	ctx, cancel := context.WithCancel(t.Context())
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := sse.NewClient("http://" + proxy.Addr() + events("c"))
	client.Connection.Transport = transport
	again := backoff.NewConstantBackOff(50 * time.Millisecond)
	client.ReconnectStrategy = backoff.WithContext(again, ctx)
	got, ended := make(chan *sse.Event, 16), make(chan error, 1)
	go func() {
		ended <- client.SubscribeRawWithContext(ctx, func(e *sse.Event) { got <- e })
	}()
	defer func() { cancel(); <-ended }()
	want := func(event, data string) {
		t.Helper()
		for {
			select {
			case e := <-got:
				switch kind := string(e.Event); {
				case len(e.Data) == 0:
					t.Fatalf("the library brings a block without data: %+v", e)
				case kind == event && (data == "" || string(e.Data) == data):
					return
				case kind == "":
					t.Fatalf("the library brings %q, want %q", e.Data, data)
				}
			case err := <-ended:
				ended <- err
				t.Fatalf("the library has stopped with %v, before %s %s", err, event, data)
			case <-time.After(patience):
				t.Fatalf("the library does not bring %s %s", event, data)
			}
		}
	}
	want("runnel.welcome", "")
	n.publish("c", "live")
	want("", "live")
	proxy.Set(faultproxy.Faults{Refuse: true})
	proxy.Cut()
	n.publish("c", "while cut off")
	proxy.Set(faultproxy.Faults{})
	want("", "while cut off")
	n.Kill()
	n.Restart()
	n.publish("c", "after kill -9")
	want("", "after kill -9")
	n.Stop()
	want("runnel.draining", "")
	n.Restart()
	n.publish("c", "after the drain")
	want("", "after the drain")
	proxy.Set(faultproxy.Faults{Refuse: true})
	proxy.Cut()
	within(t, "the hub has noticed", func() bool { return n.connections() == 0 })
	first, second := n.subscribe(events("d")), n.subscribe(events("d"))
	n.publish("c", "while there was no room")
	proxy.Set(faultproxy.Faults{})
	want("runnel.error", "")
	first.close()
	second.close()
	want("", "while there was no room")
}

// TestReadInBlocks: libraries that read a body of unknown length 512 bytes at a
// time, and one in chunks by the chunk, show an event when it comes.
func TestReadInBlocks(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", n.URL+events("c"), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	read := func() string {
		t.Helper()
		b := make([]byte, 512)
		size, err := resp.Body.Read(b) // of a chunk
		if len(resp.TransferEncoding) == 0 {
			size, err = io.ReadFull(resp.Body, b)
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:size])
	}
	if first := read(); !strings.Contains(first, "runnel.welcome") {
		t.Errorf("first comes %q", first)
	}
	for i := range 5 {
		id := n.publish("c", fmt.Sprint(i))
		if got, want := read(), fmt.Sprintf("data: %d\nid: %s\n\n", i, id); got != want {
			t.Errorf("a block of %q, want %q", got, want)
		}
	}
}

// polyfill is an EventSource as pages without one load it. It cannot set
// headers without a question to the hub first, so it says in the URL where to
// go on: whatever stands there already, lastEventId comes last.
type polyfill struct {
	n    *node
	path string
	last string
}

func (p *polyfill) open() *feed {
	path := p.path
	if p.last != "" {
		join := "?"
		if strings.Contains(path, "?") {
			join = "&"
		}
		path += join + "lastEventId=" + url.QueryEscape(p.last)
	}
	return p.n.subscribe(path)
}

// TestPolyfillLosesNothing: it resumes where it was, also where its page gave
// it a start, of one channel and of several.
func TestPolyfillLosesNothing(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	for _, path := range []string{events("c0"), events("c1") + "?rewind=5", events("c2") + "?last_event_id=earliest", "/events?channel=c3&channel=d"} {
		channel := regexp.MustCompile(`c\d`).FindString(path)
		p := &polyfill{n: n, path: path}
		f := p.open()
		for i := range 60 {
			data := strconv.Itoa(i)
			n.publish(channel, data)
			if i%20 >= 10 {
				continue // it is away
			}
			if i > 0 && i%20 == 0 {
				f = p.open()
				for missed := i - 10; missed < i; missed++ {
					p.want(t, f, strconv.Itoa(missed))
				}
			}
			p.want(t, f, data)
			if i%20 == 9 {
				f.close()
			}
		}
	}
}

func (p *polyfill) want(t *testing.T, f *feed, data string) {
	t.Helper()
	b := f.read()
	if got := b.data; got != data && !strings.Contains(got, `"text":"`+data+`"`) {
		t.Fatalf("%s: got %q, want %q", p.path, got, data)
	}
	p.last = b.id
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

package server

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"runnel/auth"
	"runnel/streams"
)

// TestOneRuleForNames: what auth takes for a channel's name is what streams
// does; neither imports the other.
func TestOneRuleForNames(t *testing.T) {
	for c := range 256 {
		name := "a" + string([]byte{byte(c)}) + "b"
		_, err := auth.ParsePattern(name)
		if valid := streams.ValidChannel(name) == nil; valid != (err == nil) && c != '*' {
			t.Errorf("%q: a channel %v, a pattern %v", name, valid, err)
		}
	}
	if _, err := auth.ParsePattern("$a"); err != nil || streams.ValidChannel("$a") != nil {
		t.Error("a channel of the hub's own is a pattern and a name")
	}
	longest := strings.Repeat("x", streams.MaxChannelName-len("user:"))
	if name := auth.UserChannel(longest); streams.ValidChannel(name) != nil {
		t.Errorf("%d bytes: %q", len(longest), name)
	}
	if name := auth.UserChannel(longest + "x"); name != "" {
		t.Errorf("a channel's name of %d bytes", len(name))
	}
}

// TestTicketsOpenWhatFeedsCarry: a ticket is for as many channels as a feed.
func TestTicketsOpenWhatFeedsCarry(t *testing.T) {
	n := startNode(t, demo)
	for extra, want := range []int{200, 400} {
		channels := make([]string, streams.MaxCursor+extra)
		for i := range channels {
			channels[i] = `"c` + strings.Repeat("x", i) + `"`
		}
		r := n.send(request{method: "POST", path: "/tickets", kind: "application/json", body: `{"channels":[` + strings.Join(channels, ",") + `]}`})
		if r.StatusCode/100 != want/100 {
			t.Errorf("%d channels: %d %s", len(channels), r.StatusCode, r.body)
		}
	}
}

// TestChannelsAreUnescapedOnce: encodeURIComponent escapes the colons and at
// signs of names, wherever a name stands; %253A was taken for a colon.
func TestChannelsAreUnescapedOnce(t *testing.T) {
	n := startNode(t, demo)
	met := `"channel":"chat:a@b"`
	if r := n.publish("/channels/chat:a@b/events", asJSON, `"met"`); r.StatusCode != http.StatusCreated {
		t.Fatal(r.body)
	}
	reader, err := n.client.Do(n.feedRequest("/channels/chat:a@b/events")) // for the list of channels that are read
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Body.Close()
	get := func(path string) func(string) string {
		return func(name string) string { return n.answer(request{method: "GET", path: fmt.Sprintf(path, name)}) }
	}
	routes := map[string][]struct {
		ask    func(name string) string // what comes of it
		met    string                   // stands in that where the channel was found
		silent bool                     // a name that is none is no error
	}{
		"POST /channels/:channel/events": {{ask: func(name string) string {
			return n.answer(request{method: "POST", path: "/channels/" + name + "/events?event=other", kind: asJSON, body: "1"})
		}, met: met}},
		"GET /channels/:channel/events": {
			{ask: get("/channels/%s/events?last_event_id=earliest"), met: met},
			{ask: n.firstBlocks("/channels/%s/events?last_event_id=earliest"), met: `"met"`},
		},
		"GET /channels/:channel/ws": {{ask: n.said("/channels/%s/ws"), met: met}},
		"GET /channels/:channel":    {{ask: get("/channels/%s"), met: met}},
		"GET /channels": {
			{ask: get("/channels?prefix=%s"), met: met, silent: true},
			{ask: get("/channels?stored=true&prefix=%s"), met: met, silent: true},
		},
		"GET /events": {
			{ask: get("/events?last_event_id=earliest&channel=%s"), met: met},
			{ask: n.firstBlocks("/events?last_event_id=earliest&channel=%s"), met: met},
			{ask: get("/events?channel=chat:a@b&wait=1ms&after=%s/earliest"), met: met, silent: true},
		},
		"GET /ws": {{ask: n.said("/ws?channel=%s"), met: met}},
	}
	for route, ways := range routes {
		for i, way := range ways {
			for _, name := range []string{"chat:a@b", "chat%3Aa%40b", "chat%3aa@b", "%63hat:a%40b"} {
				if got := way.ask(name); !strings.Contains(got, way.met) {
					t.Errorf("%s, way %d: %s brings %s", route, i, name, got)
				}
			}
			for _, name := range []string{"chat%253Aa%2540b", "%2563hat:a@b", "chat:a%2Fb", "chat%25", "chat:a@b%00", "chat:a@b%20"} {
				got := way.ask(name)
				if strings.Contains(got, way.met) || strings.Contains(got, streams.ErrBadChannel.Error()) == way.silent {
					t.Errorf("%s, way %d: %s brings %s", route, i, name, got)
				}
			}
		}
	}
	for _, surface := range []http.Handler{n.handler, n.admin} {
		for _, r := range surface.(*echo.Echo).Routes() {
			if strings.Contains(r.Path, ":channel") && routes[r.Method+" "+r.Path] == nil {
				t.Errorf("%s %s is not in this test", r.Method, r.Path)
			}
		}
	}
}

// answer returns all that is answered to a request.
func (n *node) answer(r request) string { return n.send(r).body }

func (n *node) feedRequest(path string) *http.Request {
	n.t.Helper()
	r, err := http.NewRequestWithContext(n.t.Context(), "GET", n.url+path, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	return r
}

// firstBlocks returns what asks for a feed and returns the beginning of it, up to
// an event, or the whole answer where it is none.
func (n *node) firstBlocks(path string) func(string) string {
	return func(name string) string {
		n.t.Helper()
		resp, err := n.client.Do(n.feedRequest(fmt.Sprintf(path, name)))
		if err != nil {
			n.t.Fatal(err)
		}
		defer resp.Body.Close()
		return readUntil(resp.Body, `"met"`)
	}
}

// said returns what opens a WebSocket and returns what the hub says, up to that
// it is subscribed, or that there is no such channel.
func (n *node) said(path string) func(string) string {
	return func(name string) string {
		n.t.Helper()
		s, err := net.Dial("tcp", strings.TrimPrefix(n.url, "http://"))
		if err != nil {
			n.t.Fatal(err)
		}
		defer s.Close()
		s.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(s, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", name)
		return readUntil(s, `"last_event_id"`, streams.ErrBadChannel.Error())
	}
}

// readUntil reads up to one of these words, or to the end.
func readUntil(r io.Reader, words ...string) (text string) {
	for b := make([]byte, 1); ; {
		if _, err := io.ReadFull(r, b); err != nil {
			return text
		}
		text += string(b)
		for _, word := range words {
			if strings.HasSuffix(text, word) {
				return text
			}
		}
	}
}

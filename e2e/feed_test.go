package e2e

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"runnel/hubtest"
)

// TestFeed is one channel's feed from its first byte on.
func TestFeed(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--heartbeat", "1s")
	f := openFeed(t, n.Addr, events("c"))
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store, no-transform",
		"Vary": "Accept, Origin", "X-Accel-Buffering": "no",
	} {
		if got := f.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	first, err := f.next()
	if err != nil || first.retry <= 0 {
		t.Fatalf("the feed begins with %+v, %v", first, err)
	}
	if first.event != "runnel.welcome" || !eventID.MatchString(first.id) || !strings.HasSuffix(first.id, "-0") {
		t.Fatalf("the feed begins with %+v", first)
	}
	w := parse[welcomed](t, []byte(first.data))
	if w.Type != "welcome" || w.Connection == "" || w.Node != n.Name || w.Heartbeat != 1 || w.User != nil {
		t.Errorf("the welcome is %s", first.data)
	}
	id := n.publish("c", "one")
	if got := f.want("one"); got[0] != id {
		t.Errorf("the event's ID is %s, the publisher's %s", got[0], id)
	}
	n.post("c", "?ephemeral=true&event=typing", "brief", asText)
	if b := f.read(); b.data != "brief" || b.event != "typing" || b.hasID {
		t.Errorf("the ephemeral event comes as %+v", b)
	}
	b, err := f.next()
	if err != nil || b.event != "runnel.heartbeat" || b.hasID {
		t.Fatalf("in silence comes %+v, %v", b, err)
	}
	beat := parse[struct{ Time time.Time }](t, []byte(b.data))
	if since := time.Since(beat.Time); since < -time.Minute || since > time.Minute {
		t.Errorf("the heartbeat's time is %s", b.data)
	}
	if p := n.history("c", ""); len(p.Events) != 1 {
		t.Errorf("%d events are stored", len(p.Events))
	}
}

// TestRetryIsJittered: clients that were cut off together come back apart.
func TestRetryIsJittered(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	seen := map[int]bool{}
	for range 8 {
		f := openFeed(t, n.Addr, events("c"))
		b, err := f.next()
		if err != nil || b.retry <= 0 {
			t.Fatalf("%+v, %v", b, err)
		}
		seen[b.retry] = true
	}
	if len(seen) < 2 {
		t.Errorf("8 clients are told the same retry: %v", seen)
	}
}

// TestSeveralChannels: the cursor is exact on reconnect, also when channels
// were added to the URL or dropped from it.
func TestSeveralChannels(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	n.publish("d", "d0")
	f := n.subscribe("/events?channel=a&channel=b&channel=a")
	n.publish("a", "a1")
	n.publish("b", "b1")
	want := map[string]bool{"a1": true, "b1": true}
	for range 2 {
		b := f.read()
		e := parse[envelope](t, []byte(b.data))
		if b.event != "" || !want[e.payload()] || e.Type != "event" || !strings.HasPrefix(e.payload(), e.Channel) || e.ID == "" || !b.hasID {
			t.Fatalf("the feed brings %+v", b)
		}
		delete(want, e.payload())
	}
	n.post("a", "?ephemeral=true", "brief", asText)
	if b := f.read(); b.hasID || parse[envelope](t, []byte(b.data)).payload() != "brief" {
		t.Errorf("the ephemeral event comes as %+v", b)
	}
	cursor := f.lastID
	n.publish("a", "a2")
	n.publish("b", "b2")
	n.publish("c", "c1")
	n.publish("d", "d1")
	for i, c := range []struct{ channels, old []string }{
		{[]string{"a", "b"}, []string{"a2", "b2"}},
		{[]string{"b", "a"}, []string{"a2", "b2"}},
		{[]string{"a"}, []string{"a2"}},
		{[]string{"a", "b", "c", "d"}, []string{"a2", "b2"}},
		{[]string{"c", "d"}, nil},
	} {
		f := n.subscribe("/events?channel="+strings.Join(c.channels, "&channel="), "Last-Event-ID: "+cursor)
		if got := n.untilEnd(f, fmt.Sprint("end ", i), c.channels); !slices.Equal(got, c.old) {
			t.Errorf("%s: the feed brings %q, want %q", c.channels, got, c.old)
		}
	}
}

// untilEnd publishes an ephemeral event to each channel and returns, sorted,
// the stored events that come before the last of them.
func (n *node) untilEnd(f *feed, end string, channels []string) (stored []string) {
	n.t.Helper()
	for _, channel := range channels {
		n.post(channel, "?ephemeral=true", end, asText)
	}
	for left := len(channels); left > 0; {
		if e := f.envelope(); e.ID != "" {
			stored = append(stored, e.payload())
		} else if e.payload() == end {
			left--
		}
	}
	slices.Sort(stored)
	return stored
}

// TestMostChannels: 32 channels and a cursor that fits a header.
func TestMostChannels(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	path, name := "/events?", strings.Repeat("n", 120)
	for i := range 32 {
		path += fmt.Sprintf("&channel=%s%d", name, i)
	}
	f := n.subscribe(path)
	for i := range 32 {
		n.publish(fmt.Sprint(name, i), fmt.Sprint("old ", i))
	}
	got := map[string]bool{}
	for range 32 {
		got[f.envelope().payload()] = true
	}
	if len(got) != 32 || len(f.lastID) > 1<<10 {
		t.Errorf("%d events, a cursor of %d bytes", len(got), len(f.lastID))
	}
	n.publish(name+"31", "new")
	again := n.subscribe(path, "Last-Event-ID: "+f.lastID)
	if e := again.envelope(); e.payload() != "new" {
		t.Errorf("after the reconnect comes %+v", e)
	}
}

// TestCursorIsAHeader: any cursor can be sent back as it came.
func TestCursorIsAHeader(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	f := n.subscribe("/events?channel=a&channel=~:.@-_")
	if !regexp.MustCompile(`^[!-~]+$`).MatchString(f.lastID) {
		t.Errorf("the cursor is %q", f.lastID)
	}
}

// TestConnectionLimit: an EventSource gives up at any status but 200, and a
// WebSocket's script sees no status.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--max-connections-per-ip", "2")
	n.subscribe(events("c"))
	n.subscribe("/events?channel=a&channel=b")
	id := n.publish("c", "x")
	for name, f := range map[string]*feed{
		"header": openFeed(t, n.Addr, events("c"), "Last-Event-ID: "+id),
		"query":  openFeed(t, n.Addr, events("c")+"?last_event_id="+id),
	} {
		if b := wantRefusal(f, "connection_limit"); b.id != id {
			t.Errorf("%s: the given position was %q, the block's ID is %q", name, id, b.id)
		}
	}
	if b := wantRefusal(openFeed(t, n.Addr, events("c")), "connection_limit"); b.hasID {
		t.Errorf("without a position comes the ID %q", b.id)
	}
	s := openSocket(t, n.Addr, "/ws?channel=c")
	if before := s.wantClose(4009); len(before) > 0 {
		t.Errorf("before the close comes %s", before[0].raw)
	}
	wantError(t, call(t, "GET", n.URL+events("c")+"?wait=1s&last_event_id="+id, ""), 429, "connection_limit")
	n.publish("c", "publishing is no connection")
}

// wantRefusal reads what an EventSource gets that is to come again later: 200,
// a retry, the error instead of the welcome, the end.
func wantRefusal(f *feed, code string) block {
	f.t.Helper()
	if f.status != 200 || f.header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		f.t.Fatalf("status %d, Content-Type %q", f.status, f.header.Get("Content-Type"))
	}
	last := f.ends()
	e := parse[failure](f.t, []byte(last.data))
	if last.event != "runnel.error" || e.Error.Code != code || e.Error.Message == "" {
		f.t.Fatalf("the feed ends with %+v, want the error %s", last, code)
	}
	if last.retry < 2000 {
		f.t.Errorf("the retry is %d ms", last.retry)
	}
	return last
}

// TestOldHTTP: an HTTP/1.0 client knows no chunks; the stream ends with its
// connection.
func TestOldHTTP(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	conn, err := net.Dial("tcp", n.Addr)
	if err != nil {
		t.Fatal(err)
	}
	f, err := requestFeed(t, conn, "HTTP/1.0", events("c"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	f.welcome()
	n.publish("c", "old")
	f.want("old")
	if f.header.Get("Transfer-Encoding") != "" {
		t.Error("chunks for a client that knows none")
	}
	n.Stop()
	if b := f.ends(); b.event != "runnel.draining" {
		t.Errorf("it ends with %+v", b)
	}
}

// TestErrorsBeforeTheStream are plain JSON: what will not pass is no reason to
// come again.
func TestErrorsBeforeTheStream(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--jwt-secret", secret)
	bearer := "Authorization: Bearer " + hubtest.Token(t, secret, "--sub", "ann", "--subscribe", "chat:*")
	get := func(path string, headers ...string) answer {
		return call(t, "GET", n.URL+path, "", append(headers, asFeed)...)
	}
	wantError(t, get(events("chat:1")), 401, "unauthorized")
	wantError(t, get(events("chat:1"), "Authorization: Bearer x"), 401, "unauthorized")
	wantError(t, get(events("other"), bearer), 403, "forbidden")
	wantError(t, get(events("chat:1:2"), bearer), 403, "forbidden")
	wantError(t, get(events("user:bob"), bearer), 403, "forbidden")
	wantError(t, get("/events?channel=chat:1&channel=other", bearer), 403, "forbidden")
	n.subscribe(events("user:ann"), bearer)
	n.subscribe(events("chat:1"), bearer)
}

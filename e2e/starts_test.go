package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestStarts is where a feed begins. {n} stands for the ID of event n.
func TestStarts(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	all := []string{"0", "1", "2", "3", "4"}
	for i, c := range []struct {
		name, query, header string
		want                []string
	}{
		{"now", "", "", nil},
		{"an empty position", "last_event_id=", "", nil},
		{"an empty header", "", "Last-Event-ID: ", nil},
		{"a position", "last_event_id={2}", "", all[3:]},
		{"a header", "", "Last-Event-ID: {3}", all[4:]},
		{"the header first", "last_event_id={0}", "Last-Event-ID: {3}", all[4:]},
		{"an empty header is none", "last_event_id={2}", "Last-Event-ID: ", all[3:]},
		{"the position before since", "since=10m&last_event_id={3}", "", all[4:]},
		{"since before rewind", "rewind=1&since=10m", "", all},
		{"earliest", "last_event_id=earliest", "", all},
		{"earliest as a header", "", "Last-Event-ID: earliest", all},
		{"0-0", "last_event_id=0-0", "", all},
		{"as polyfills say it", "lastEventId={2}", "", all[3:]},
		{"as others do", "lastEventID={2}", "", all[3:]},
		{"the header's name", "Last-Event-ID={2}", "", all[3:]},
		{"escaped", "last%45ventId={2}", "", all[3:]},
		{"the last of several", "last_event_id={0}&lastEventId={3}&rewind=1", "", all[4:]},
		{"the last of several, ours", "lastEventId={0}&last_event_id={3}", "", all[4:]},
		{"an empty one is none", "last_event_id={2}&lastEventId=", "", all[3:]},
		{"after", "after={c}/{1}", "", all[2:]},
		{"after before a position", "after={c}/{3}&last_event_id={1}", "", all[4:]},
		{"a header before after", "after={c}/{1}", "Last-Event-ID: {3}", all[4:]},
		{"after before since", "after={c}/{3}&since=10m", "", all[4:]},
		{"after of another channel", "after=other/{1}&since=10m", "", all},
		{"since a duration", "since=10m", "", all},
		{"since a time", "since=" + around(-time.Hour), "", all},
		{"since now", "since=1ms", "", nil},
		{"rewind", "rewind=2", "", all[3:]},
		{"rewind everything", "rewind=1000", "", all},
	} {
		t.Run(c.name, func(t *testing.T) {
			channel := fmt.Sprint("c", i)
			var ids []string
			for k, d := range all {
				ids = append(ids, fmt.Sprintf("{%d}", k), n.publish(channel, d))
			}
			if c.name == "since now" {
				newest := millis(ids[9])
				within(t, "the events are older", func() bool { return time.Now().UnixMilli() > newest+10 })
			}
			fill := strings.NewReplacer(append(ids, "{c}", channel)...)
			var headers []string
			if c.header != "" {
				headers = append(headers, fill.Replace(c.header))
			}
			f := openFeed(t, n.Addr, events(channel)+"?"+fill.Replace(c.query), headers...)
			f.welcome()
			last := n.publish(channel, "last")
			want := append(slices.Clone(c.want), "last")
			if got := f.want(want...); got[len(got)-1] != last {
				t.Errorf("the last event has the ID %s, want %s", got[len(got)-1], last)
			}
			if c.want == nil {
				return
			}
			p := n.history(channel, "?"+fill.Replace(c.query), headers...)
			if wanted := rewound(c.query, want); !slices.Equal(payloads(p.Events), wanted) {
				t.Errorf("the page has %q, want %q", payloads(p.Events), wanted)
			}
		})
	}
}

// rewound is what a rewind by two gives after one event more.
func rewound(query string, want []string) []string {
	if query == "rewind=2" {
		return want[1:]
	}
	return want
}

// around is a time of day as a query carries it.
func around(d time.Duration) string {
	return url.QueryEscape(time.Now().Add(d).Format(time.RFC3339))
}

// millis is the time in an ID.
func millis(id string) (ms int64) {
	fmt.Sscanf(id, "%d-", &ms)
	return ms
}

// TestAfterOfSeveral: each channel begins at its own position, on a feed, a
// page and a WebSocket; a cursor is for those that have none.
func TestAfterOfSeveral(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	at := map[string][]string{}
	for _, c := range []string{"a", "b"} {
		for _, d := range []string{"1", "2", "3"} {
			at[c] = append(at[c], n.publish(c, c+d))
		}
	}
	query := "?channel=a&channel=b&after=a/" + at["a"][0] + "&after=b/" + at["b"][1]
	f := n.subscribe("/events" + query)
	came := payloads([]envelope{f.envelope(), f.envelope(), f.envelope()})
	slices.Sort(came)
	if want := []string{"a2", "a3", "b3"}; !slices.Equal(came, want) {
		t.Errorf("the feed brings %q, want %q", came, want)
	}
	p := n.page("/events" + query)
	if want := []string{"a2", "a3", "b3"}; !slices.Equal(payloads(p.Events), want) {
		t.Errorf("the page has %q, want %q", payloads(p.Events), want)
	}
	p = n.page("/events?channel=a&channel=b&after=a/" + at["a"][0] + "&last_event_id=" + url.QueryEscape(p.LastEventID))
	if want := []string{"a2", "a3"}; !slices.Equal(payloads(p.Events), want) {
		t.Errorf("after the one, and the cursor, come %q, want %q", payloads(p.Events), want)
	}
	s := openSocket(t, n.Addr, "/ws"+query)
	s.want("welcome")
	var events []envelope
	for len(events) < 3 {
		if m := s.read(); m.Type == "event" {
			events = append(events, m.envelope)
		}
	}
	came = payloads(events)
	slices.Sort(came)
	if want := []string{"a2", "a3", "b3"}; !slices.Equal(came, want) {
		t.Errorf("the WebSocket brings %q, want %q", came, want)
	}
}

// TestBadStarts: neither everything nor nothing, but 400.
func TestBadStarts(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	n.publish("c", "x")
	for _, query := range []string{
		"last_event_id=x", "last_event_id=1", "last_event_id=1-2-3", "last_event_id=-1-2", "last_event_id=1-99999999999999999999",
		"last_event_id=1-18446744073709551615", "last_event_id=01-2", "last_event_id=%201-2", "last_event_id=Earliest", "last_event_id=$",
		"since=10", "since=yesterday", "since=2026-01-01", "since=-10m", "since=" + around(time.Hour),
		"since=99999999999999999999h", "rewind=-1", "rewind=x", "rewind=1.5", "rewind=99999999999999999999",
		"after=c", "after=c/", "after=1-1", "after=c/x", "after=c/1-1&after=d/1-1",
	} {
		for _, accept := range []string{"Accept: application/json", asFeed} {
			a := call(t, "GET", n.URL+events("c")+"?"+query, "", accept)
			if a.status != 400 {
				t.Errorf("%s, %s: status %d", query, accept, a.status)
				continue
			}
			wantError(t, a, 400, "bad_request")
		}
	}
	many := "/events?channel=c0"
	for i := range 32 {
		many += fmt.Sprint("&channel=c", i+1)
	}
	for _, path := range []string{"/events?channel=a&channel=b&last_event_id=1-1", "/events", many, events("a*b")} {
		wantError(t, call(t, "GET", n.URL+path, "", asFeed), 400, "bad_request")
	}
}

// TestMisspeltStart is refused with the right name: on SSE and pages with 400,
// on a WebSocket with a close code.
func TestMisspeltStart(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	n.publish("c", "x")
	for _, query := range []string{"last-event-id=1-1", "lastEventid=1-1", "last_event=1-1", "LAST_EVENT_ID=", "Since=10m", "rewnd=1"} {
		for _, accept := range []string{"Accept: application/json", asFeed} {
			wantError(t, call(t, "GET", n.URL+events("c")+"?"+query, "", accept), 400, "bad_request")
		}
		for _, path := range []string{"/channels/c/ws?", "/ws?channel=c&"} {
			s := openSocket(t, n.Addr, path+query)
			if before := s.wantClose(4003); len(before) > 0 {
				t.Errorf("%s%s: %v", path, query, before)
			}
		}
	}
}

// TestTrimmedGap: what was trimmed is counted exactly, on every transport.
func TestTrimmedGap(t *testing.T) {
	t.Parallel()
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testTrimmedGap(t, startNode(t, append(store, "--history", "10")...))
		})
	}
}

func testTrimmedGap(t *testing.T, n *node) {
	first := n.publish("c", "1")
	item := `{"channel":"c","text":"more"}`
	call(t, "POST", n.URL+"/events", "["+strings.Repeat(item+",", 299)+item+"]", asJSON)
	rest := n.history("c", "?limit=1000&last_event_id=earliest")
	if rest.Gap != nil || len(rest.Events) < 10 || len(rest.Events) > 150 { // Redis trims whole nodes of its streams
		t.Fatalf("%d events are kept, gap %v", len(rest.Events), rest.Gap)
	}
	missed, kept := 300-len(rest.Events), payloads(rest.Events)
	check := func(where string, g gap) {
		t.Helper()
		if g.Channel != "c" || g.After == nil || *g.After != first || g.Missed == nil || *g.Missed != missed || g.Reason != "trimmed" ||
			g.ResumedAt == nil || *g.ResumedAt != rest.Events[0].ID || g.LastEventID == "" {
			t.Errorf("%s: the gap is %+v, want %d missed, resumed at %s", where, g, missed, rest.Events[0].ID)
		}
	}
	f := n.subscribe(events("c"), "Last-Event-ID: "+first)
	g := f.gap()
	check("feed", g)
	if f.lastID != g.LastEventID {
		t.Errorf("the gap's position is %s, the block's ID %s", g.LastEventID, f.lastID)
	}
	f.want(kept...)
	again := n.subscribe(events("c"), "Last-Event-ID: "+g.LastEventID)
	again.want(kept...) // a gap is said once
	s, _ := n.subscribeSocket("c", "?last_event_id="+first)
	check("WebSocket", s.want("gap").gap())
	s.wantEvents(kept...)
	p := n.history("c", "?limit=1000&last_event_id="+first)
	if p.Gap == nil {
		t.Fatal("the page has no gap")
	}
	check("page", *p.Gap)
	if !slices.Equal(payloads(p.Events), kept) {
		t.Errorf("the page has %q", payloads(p.Events))
	}
	many := n.page("/events?channel=c&channel=d&wait=1s&limit=1000&last_event_id=earliest")
	if len(many.Gaps) != 0 || len(many.Events) != len(rest.Events) {
		t.Errorf("gaps %v, %d events", many.Gaps, len(many.Events))
	}
	n.subscribe(events("c") + "?rewind=1000").want(kept...)
	since := n.subscribe(events("c") + "?since=1h").gap()
	if since.After != nil || since.Reason != "trimmed" {
		t.Errorf("since an hour ago begins with %+v", since)
	}
}

// gap is the message read as what it is.
func (m message) gap() gap {
	return gap{m.Type, m.Channel, m.After, m.LastEventID, m.ResumedAt, m.Missed, m.Reason}
}

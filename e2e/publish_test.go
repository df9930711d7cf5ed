package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var eventID = regexp.MustCompile(`^[1-9][0-9]{12}-[0-9]+$`)

func TestPublishAnswers(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	long := strings.Repeat("x", 64<<10)
	for _, c := range []struct {
		name, channel, query, body string
		headers                    []string
		status                     int
		code                       string
	}{
		{name: "text", body: "hello", headers: []string{asText}, status: 201},
		{name: "text with charset", body: "grüße", headers: []string{"Content-Type: text/plain; charset=UTF-8"}, status: 201},
		{name: "JSON object", body: `{"a":1}`, headers: []string{asJSON}, status: 201},
		{name: "JSON scalar", body: `null`, headers: []string{asJSON}, status: 201},
		{name: "JSON with charset", body: `"x"`, headers: []string{"Content-Type: application/json; charset=utf-8"}, status: 201},
		{name: "ephemeral", query: "?ephemeral=true", body: "x", headers: []string{asText}, status: 202},
		{name: "not ephemeral", query: "?ephemeral=false", body: "x", headers: []string{asText}, status: 201},
		{name: "the most data", body: long, headers: []string{asText}, status: 201},
		{name: "the longest type", query: "?event=" + long[:128], body: "x", headers: []string{asText}, status: 201},
		{name: "a type with spaces and colons", query: "?event=a%3A+b", body: "x", headers: []string{asText}, status: 201},
		{name: "the longest channel", channel: long[:128], body: "x", headers: []string{asText}, status: 201},
		{name: "every byte of a channel", channel: "AZaz09_-.:@~", body: "x", headers: []string{asText}, status: 201},
		{name: "the longest key", body: "x", headers: []string{asText, "Idempotency-Key: " + long[:256]}, status: 201},

		{name: "no data", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "no JSON", headers: []string{asJSON}, status: 400, code: "bad_request"},
		{name: "bad JSON", body: `{"a":`, headers: []string{asJSON}, status: 400, code: "bad_request"},
		{name: "two JSON values", body: `1 2`, headers: []string{asJSON}, status: 400, code: "bad_request"},
		{name: "JSON with a raw control character", body: "\"a\nb\"", headers: []string{asJSON}, status: 400, code: "bad_request"},
		{name: "bad UTF-8 in text", body: "a\xffb", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "bad UTF-8 in JSON", body: "\"a\xffb\"", headers: []string{asJSON}, status: 400, code: "bad_request"},
		{name: "a surrogate in UTF-8", body: "\xed\xa0\x80", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "no type", body: "x", status: 415, code: "unsupported_media_type"},
		{name: "a form", body: "x=1", headers: []string{"Content-Type: application/x-www-form-urlencoded"}, status: 415, code: "unsupported_media_type"},
		{name: "bytes", body: "x", headers: []string{"Content-Type: application/octet-stream"}, status: 415, code: "unsupported_media_type"},
		{name: "a broken type", body: "x", headers: []string{"Content-Type: text/"}, status: 415, code: "unsupported_media_type"},
		{name: "another charset", body: "x", headers: []string{"Content-Type: text/plain; charset=latin1"}, status: 415, code: "unsupported_media_type"},
		{name: "too much data", body: long + "x", headers: []string{asText}, status: 413, code: "too_large"},
		{name: "a reserved type", query: "?event=runnel.gap", body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "the type open", query: "?event=open", body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "the type error", query: "?event=error", body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "a type that begins with a space", query: "?event=%20a", body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "a type with U+202E", query: "?event=a%E2%80%AEb", body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "a long type", query: "?event=" + long[:129], body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "a type with LF", query: "?event=a%0Aid:%201", body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "a type with CR", query: "?event=a%0Ddata:x", body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "a type with NUL", query: "?event=a%00", body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "a type with DEL", query: "?event=a%7F", body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "a type that is no UTF-8", query: "?event=%FF", body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "ephemeral perhaps", query: "?ephemeral=perhaps", body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "a query that is none", query: "?event=%zz", body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "a long channel", channel: long[:129], body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "a channel with a space", channel: "a b", body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "a channel with LF", channel: "a\nb", body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "a channel with a slash", channel: "a/b", body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "a channel with a star", channel: "a*", body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "a channel in other letters", channel: "ä", body: "x", headers: []string{asText}, status: 400, code: "bad_request"},
		{name: "the hub's own channel", channel: "$mine", body: "x", headers: []string{asText}, status: 403, code: "forbidden"},
		{name: "a long key", body: "x", headers: []string{asText, "Idempotency-Key: " + long[:257]}, status: 400, code: "bad_request"},
		{name: "a key that is not printable", body: "x", headers: []string{asText, "Idempotency-Key: a\tb"}, status: 400, code: "bad_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.channel == "" {
				c.channel = "answers"
			}
			a := call(t, "POST", n.URL+events(c.channel)+c.query, c.body, c.headers...)
			if c.code != "" {
				wantError(t, a, c.status, c.code)
				return
			}
			p := parse[published](t, a.body)
			if a.status != c.status || p.Channel != c.channel {
				t.Fatalf("status %d, want %d: %s", a.status, c.status, a.body)
			}
			if stored := p.ID != nil && eventID.MatchString(*p.ID); stored != (c.status == 201) {
				t.Errorf("the ID in %s", a.body)
			}
			if h := a.header; h.Get("Cache-Control") != "no-store, no-transform" || h.Get("Vary") != "Accept, Origin" {
				t.Errorf("Cache-Control %q, Vary %q", h.Get("Cache-Control"), h.Get("Vary"))
			}
		})
	}
}

// TestDotChannels asks with the dots escaped: clients remove dot segments.
func TestDotChannels(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	for _, name := range []string{"%2E", "%2E%2E"} {
		a := call(t, "POST", n.URL+"/channels/"+name+"/events", "x", asText)
		if a.status < 400 || a.status > 404 {
			t.Errorf("channel %s: status %d: %s", name, a.status, a.body)
		}
	}
}

// TestIdempotency: the same key brings the first answer and appends nothing.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startNode(t, store...)
			key := "Idempotency-Key: order 17"
			first := n.publish("c", "a", key)
			if again := n.publish("c", "a", key); again != first {
				t.Errorf("the repetition's ID is %s, the first one's %s", again, first)
			}
			wantError(t, n.post("c", "", "b", asText, key), 409, "conflict")
			wantError(t, n.post("c", "?event=other", "a", asText, key), 409, "conflict")
			wantError(t, n.post("c", "", `"a"`, asJSON, key), 409, "conflict")
			if other := n.publish("d", "a", key); other == "" {
				t.Error("another channel's key is the same")
			}
			n.publish("c", "c")
			if got := payloads(n.history("c", "").Events); !slices.Equal(got, []string{"a", "c"}) {
				t.Errorf("the history is %q", got)
			}
			if got := payloads(n.history("d", "").Events); !slices.Equal(got, []string{"a"}) {
				t.Errorf("the other channel's history is %q", got)
			}
		})
	}
}

// TestExclude: everyone gets the event but that connection, whose position
// moves on all the same.
func TestExclude(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	f := openFeed(t, n.Addr, events("c"))
	mine := f.welcome().Connection
	other := n.subscribe(events("c"))
	if a := n.post("c", "?exclude="+url.QueryEscape(mine), "not me", asText); a.status != 201 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	n.publish("c", "all")
	other.want("not me", "all")
	if b := f.read(); b.event != "runnel.position" || !b.hasID || strings.Contains(b.data, "not me") {
		t.Errorf("instead of the event comes %+v", b)
	}
	last := f.want("all")[0]
	again := n.subscribe(events("c"), "Last-Event-ID: "+last)
	n.publish("c", "more")
	again.want("more")
	f.want("more")
	for _, bad := range []string{"nobody", "a%20b", "%00"} {
		wantError(t, n.post("c", "?exclude="+bad, "x", asText), 403, "forbidden")
	}
}

func TestBatch(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	items := []string{
		`{"channel":"a","data":{"n":1}}`,
		`{"channel":"b","event":"note","text":"two"}`,
		`{"channel":"a","text":"gone","ephemeral":true}`,
		`{"channel":"a b","text":"x"}`,
		`{"channel":"$a","text":"x"}`,
		`{"channel":"a"}`,
		`{"channel":"a","text":"x","data":1}`,
		`{"channel":"a","text":""}`,
		`{"channel":"a","text":"x","event":"runnel.x"}`,
		`{"channel":"a","text":"x","exclude":"nobody"}`,
		`{"channel":"a","text":"k","idempotency_key":"1"}`,
		`{"channel":"a","text":"k","idempotency_key":"1"}`,
		`{"channel":"a","text":"l","idempotency_key":"1"}`,
		`17`,
		`{"channel":"a","data":2}`,
	}
	want := []string{"id", "id", "null", "bad_request", "forbidden", "bad_request", "bad_request", "bad_request",
		"bad_request", "forbidden", "id", "id", "conflict", "bad_request", "id"}
	lines := strings.Join(items, "\n") + "\n\n{\"channel\":\n"
	for _, c := range []struct {
		name, body, header string
		want               []string
	}{
		{"array", "[" + strings.Join(items, ",") + "]", asJSON, want},
		{"lines", strings.ReplaceAll(lines, `"1"`, `"2"`), asLines, append(slices.Clone(want), "bad_request")},
		{"lines with CR LF", "{\"channel\":\"b\",\"text\":\"1\"}\r\n{\"channel\":\"b\",\"text\":\"2\"}", asLines, []string{"id", "id"}},
		{"nothing", "[]", asJSON, nil},
	} {
		a := call(t, "POST", n.URL+"/events", c.body, c.header)
		if a.status != 200 {
			t.Fatalf("%s: status %d: %s", c.name, a.status, a.body)
		}
		if got := outcomes(t, a); !slices.Equal(got, c.want) {
			t.Errorf("%s: %s\nwant %s", c.name, a.body, c.want)
		}
	}
	stored := n.history("a", "").Events
	if got := payloads(stored); !slices.Equal(got, []string{`{"n":1}`, "k", "2", `{"n":1}`, "k", "2"}) {
		t.Errorf("channel a has %q", got)
	}
	b := n.history("b", "").Events
	if got := payloads(b); !slices.Equal(got, []string{"two", "two", "1", "2"}) || b[0].Event != "note" {
		t.Errorf("channel b has %q", got)
	}
}

// outcomes are a batch's results: "id", "null" or the error's code.
func outcomes(t *testing.T, a answer) (all []string) {
	t.Helper()
	for _, r := range parse[[]struct {
		ID *string
		failure
	}](t, a.body) {
		switch {
		case r.Error.Code != "":
			all = append(all, r.Error.Code)
		case r.ID == nil:
			all = append(all, "null")
		case eventID.MatchString(*r.ID):
			all = append(all, "id")
		default:
			all = append(all, *r.ID)
		}
	}
	return all
}

func TestBatchLimits(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	item := `{"channel":"a","text":"x"}`
	big := `{"channel":"a","text":"` + strings.Repeat("x", 60<<10) + `"}`
	for _, c := range []struct {
		name, body, header string
		status             int
		code               string
	}{
		{"1,001 items", "[" + strings.Repeat(item+",", 1000) + item + "]", asJSON, 413, "too_large"},
		{"1,001 lines", strings.Repeat(item+"\n", 1001), asLines, 413, "too_large"},
		{"over 1 MiB", "[" + strings.Repeat(big+",", 18) + big + "]", asJSON, 413, "too_large"},
		{"lines over 1 MiB", strings.Repeat(big+"\n", 19), asLines, 413, "too_large"},
		{"no array", item, asJSON, 400, "bad_request"},
		{"nothing", "", asJSON, 400, "bad_request"},
		{"half an array", "[" + item + ",", asJSON, 400, "bad_request"},
		{"more than an array", "[" + item + "] 1", asJSON, 400, "bad_request"},
		{"text", "x", asText, 415, "unsupported_media_type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantError(t, call(t, "POST", n.URL+"/events", c.body, c.header), c.status, c.code)
		})
	}
	if p := n.history("a", ""); len(p.Events) != 0 {
		t.Errorf("of batches that failed %d events were published", len(p.Events))
	}
	a := call(t, "POST", n.URL+"/events", "["+strings.Repeat(item+",", 999)+item+"]", asJSON)
	if got := outcomes(t, a); len(got) != 1000 || slices.ContainsFunc(got, func(s string) bool { return s != "id" }) {
		t.Errorf("1,000 items: status %d, %d results", a.status, len(got))
	}
	wantAll(t, n, "a", 1000)
}

// wantAll pages through a channel that has to hold so many events, numbered
// without a hole.
func wantAll(t *testing.T, n *node, channel string, want int) {
	t.Helper()
	position, count := "earliest", 0
	for more := true; more; {
		p := n.history(channel, "?limit=300&last_event_id="+position)
		if p.Gap != nil {
			t.Fatalf("a gap: %+v", *p.Gap)
		}
		for _, e := range p.Events {
			if count++; !strings.HasSuffix(e.ID, fmt.Sprintf("-%d", count)) {
				t.Fatalf("event %d has the ID %s", count, e.ID)
			}
		}
		position, more = p.LastEventID, p.More
	}
	if count != want {
		t.Errorf("%d events, want %d", count, want)
	}
}

func TestRoutesAndMethods(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--api-key", apiKey)
	for _, c := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"GET", "/nothing", 404, "not_found"},
		{"POST", "/channels", 405, "method_not_allowed"},
		{"GET", "/channels/a/nothing", 404, "not_found"},
		{"POST", "/channels//events", 400, "bad_request"},
		{"PUT", "/channels/a/events", 405, "method_not_allowed"},
		{"DELETE", "/channels/a/events", 405, "method_not_allowed"},
		{"PATCH", "/events", 405, "method_not_allowed"},
		{"POST", "/ws", 405, "method_not_allowed"},
		{"GET", "/tickets", 405, "method_not_allowed"},
		{"BREW", "/events", 405, "method_not_allowed"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			a := call(t, c.method, n.URL+c.path, "", asText, "Authorization: Bearer "+apiKey)
			if c.path == "/channels//events" && a.status == 404 {
				c.status, c.code = 404, "not_found" // no name at all is no channel
			}
			wantError(t, a, c.status, c.code)
			if a.status == 405 && a.header.Get("Allow") == "" {
				t.Error("status 405 without Allow")
			}
		})
	}
}

// TestCrossOrigin: an allowed page of another host may read everything, with
// credentials; any other page nothing.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--origin", "https://app.example.com", "--api-key", apiKey)
	allowed, other := "Origin: https://app.example.com", "Origin: https://evil.example.com"
	key := "Authorization: Bearer " + apiKey
	pre := call(t, "OPTIONS", n.URL+events("a"), "", allowed, "Access-Control-Request-Method: POST",
		"Access-Control-Request-Headers: authorization,content-type,idempotency-key,last-event-id")
	if pre.status/100 != 2 {
		t.Errorf("the preflight's status is %d", pre.status)
	}
	wantCORS(t, pre, "https://app.example.com")
	if m := pre.header.Get("Access-Control-Allow-Methods"); !strings.Contains(m, "POST") {
		t.Errorf("allowed methods: %q", m)
	}
	for _, name := range []string{"authorization", "content-type", "idempotency-key", "last-event-id"} {
		if h := strings.ToLower(pre.header.Get("Access-Control-Allow-Headers")); !strings.Contains(h, name) {
			t.Errorf("the header %s is not among the allowed %q", name, h)
		}
	}
	wantCORS(t, n.post("a", "", "x", asText, key, allowed), "https://app.example.com")
	wantCORS(t, n.post("a", "", "", asText, key, allowed), "https://app.example.com") // an error is read too
	for _, a := range []answer{
		call(t, "OPTIONS", n.URL+events("a"), "", other, "Access-Control-Request-Method: POST"),
		n.post("a", "", "x", asText, key, other),
	} {
		if got := a.header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("Access-Control-Allow-Origin is %q for any page", got)
		}
	}
}

func wantCORS(t *testing.T, a answer, origin string) {
	t.Helper()
	if a.header.Get("Access-Control-Allow-Origin") != origin || a.header.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("status %d, headers %v", a.status, a.header)
	}
	if a.header.Get("Vary") != "Accept, Origin" {
		t.Errorf("Vary is %q", a.header.Get("Vary"))
	}
}

// TestDemoModeKeepsPagesOut: any web page can reach a developer's loopback.
func TestDemoModeKeepsPagesOut(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	for _, header := range []string{"Origin: https://evil.example.com", "Host: evil.example.com", "Origin: null"} {
		if a := call(t, "POST", n.URL+events("a"), "x", asText, header); a.status != http.StatusForbidden {
			t.Errorf("%s: status %d", header, a.status)
		}
	}
	if p := n.history("a", ""); len(p.Events) != 0 {
		t.Error("a page of another host published")
	}
	if a := call(t, "POST", n.URL+events("a"), "x", asText, "Origin: "+n.URL); a.status != 201 {
		t.Errorf("the hub's own page: status %d", a.status)
	}
}

// TestEndToEndTypes: what an event's type is on every transport.
func TestEndToEndTypes(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	f := n.subscribe(events("c"))
	s, _ := n.subscribeSocket("c", "")
	n.published(n.post("c", "", "plain", asText))
	n.published(n.post("c", "?event=message", "named", asText))
	n.published(n.post("c", "?event="+url.QueryEscape("ä: b"), "typed", asText))
	for _, want := range []string{"", "", "ä: b"} {
		b := f.read()
		if b.event != want {
			t.Errorf("the feed's type is %q, want %q", b.event, want)
		}
		if want == "" && slices.Contains(b.fields, "event") {
			t.Error("an event: line for the default type")
		}
		if b.fields[len(b.fields)-1] != "id" {
			t.Errorf("id: is not the last of %q", b.fields)
		}
	}
	for _, want := range []string{"message", "message", "ä: b"} {
		m := s.want("event")
		if m.Event != want {
			t.Errorf("the WebSocket's type is %q, want %q", m.Event, want)
		}
		at, err := time.Parse(time.RFC3339Nano, m.Time)
		if ms, _, _ := strings.Cut(m.ID, "-"); err != nil || fmt.Sprint(at.UnixMilli()) != ms || !strings.HasSuffix(m.Time, "Z") || len(m.Time) != len("2026-01-31T12:00:00.000Z") {
			t.Errorf("the time %q of %s", m.Time, m.ID)
		}
	}
}

package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// web is the ordinary HTTP client of all tests.
var web = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: 5 * time.Second},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// answer is a response that came whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// failure is the error object of protocol.md.
type failure struct {
	Error struct {
		Code      string
		Message   string
		RequestID string `json:"request_id"`
	}
}

// published is what a publish is answered with.
type published struct {
	ID      *string
	Channel string
}

// envelope is an event as history, feeds over several channels and WebSockets
// show it.
type envelope struct {
	Type    string
	Channel string
	ID      string
	Event   string
	Data    json.RawMessage
	Text    *string
	From    string
	Time    string
}

// payload is the data as it was published.
func (e envelope) payload() string {
	if e.Text != nil {
		return *e.Text
	}
	return string(e.Data)
}

// gap is what the hub says of events that cannot be had any more.
type gap struct {
	Type        string
	Channel     string
	After       *string
	LastEventID string  `json:"last_event_id"`
	ResumedAt   *string `json:"resumed_at"`
	Missed      *int
	Reason      string
}

// page is a page of history.
type page struct {
	Events      []envelope
	LastEventID string `json:"last_event_id"`
	Gap         *gap
	Gaps        []gap
	More        bool
}

// call makes a request; headers are "Name: value".
func call(t testing.TB, method, url, body string, headers ...string) answer {
	t.Helper()
	a, err := try(method, url, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return a
}

// try is call where nobody may answer; for any goroutine.
func try(method, url, body string, headers ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
		}
		req.Header.Add(name, value)
	}
	resp, err := web.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, b}, err
}

const (
	asText  = "Content-Type: text/plain"
	asJSON  = "Content-Type: application/json"
	asLines = "Content-Type: application/x-ndjson"
	asFeed  = "Accept: text/event-stream"
)

// publish publishes text and returns the event's ID.
func (n *node) publish(channel, text string, headers ...string) string {
	n.t.Helper()
	return n.published(n.post(channel, "", text, append(headers, asText)...))
}

// published reads the answer to a publish that has to have succeeded.
func (n *node) published(a answer) string {
	n.t.Helper()
	if a.status != http.StatusCreated {
		n.t.Fatalf("publish: status %d: %s", a.status, a.body)
	}
	p := parse[published](n.t, a.body)
	if p.ID == nil || *p.ID == "" {
		n.t.Fatalf("publish: no ID: %s", a.body)
	}
	return *p.ID
}

// post publishes a body with a query such as "?event=x".
func (n *node) post(channel, query, body string, headers ...string) answer {
	n.t.Helper()
	return call(n.t, "POST", n.URL+events(channel)+query, body, headers...)
}

// history reads a page with a query such as "?limit=3".
func (n *node) history(channel, query string, headers ...string) page {
	n.t.Helper()
	return n.page(events(channel)+query, headers...)
}

// page reads a page of one or several channels.
func (n *node) page(path string, headers ...string) page {
	n.t.Helper()
	a := call(n.t, "GET", n.URL+path, "", headers...)
	if a.status != http.StatusOK {
		n.t.Fatalf("GET %s: status %d: %s", path, a.status, a.body)
	}
	return parse[page](n.t, a.body)
}

// events is the path of a channel's events.
func events(channel string) string { return "/channels/" + url.PathEscape(channel) + "/events" }

// wantError checks that an answer is this error, as protocol.md writes errors.
func wantError(t testing.TB, a answer, status int, code string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d: %s", a.status, status, a.body)
		return
	}
	f := parse[failure](t, a.body)
	if f.Error.Code != code || f.Error.Message == "" || f.Error.RequestID == "" {
		t.Errorf("error %s, want the code %s, a message and a request ID", a.body, code)
	}
	if kind := a.header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		t.Errorf("the error's Content-Type is %q", kind)
	}
	if (status == 429 || status == 503) && a.header.Get("Retry-After") == "" {
		t.Errorf("status %d without Retry-After", status)
	}
	if status == 401 && a.header.Get("WWW-Authenticate") == "" {
		t.Error("status 401 without WWW-Authenticate")
	}
}

// payloads are the data of events, in order.
func payloads(events []envelope) (all []string) {
	for _, e := range events {
		all = append(all, e.payload())
	}
	return all
}

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// odd is text that is no name of anything and grows when it is escaped.
func odd(n int) string { return strings.Repeat("\u0001\"\u202e", n/5+1)[:n/5*5] }

// inJSON is that text as a JSON string.
func inJSON(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

// mostSaid is more than any error takes that does not grow with what was sent.
const mostSaid = 700

// TestErrorsDoNotGrowOverHTTP: whatever text of a client's an error shows, it
// shows the beginning of it.
func TestErrorsDoNotGrowOverHTTP(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--jwt-secret", secret, "--api-key", apiKey)
	token := func(runnel any, sub string) string {
		return "Authorization: Bearer " + sign(t, secret, map[string]any{"sub": sub, "exp": time.Now().Add(time.Hour).Unix(), "runnel": runnel})
	}
	ann := token(map[string]any{"subscribe": []string{"**"}, "publish": []string{"**"}}, "ann")
	const server = "Authorization: Bearer " + apiKey
	text, long := url.QueryEscape(odd(1000)), url.PathEscape(odd(1000))
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
	}{
		"a path":              {"GET", "/" + long, "", []string{ann}, 404},
		"a channel":           {"GET", "/channels/" + long + "/events", "", []string{ann}, 400},
		"channel=":            {"GET", "/events?channel=" + text, "", []string{ann}, 400},
		"last_event_id=":      {"GET", "/channels/c/events?last_event_id=" + text, "", []string{ann}, 400},
		"after=":              {"GET", "/channels/c/events?after=c/" + text, "", []string{ann}, 400},
		"since=":              {"GET", "/channels/c/events?since=" + text, "", []string{ann}, 400},
		"rewind=":             {"GET", "/channels/c/events?rewind=" + text, "", []string{ann}, 400},
		"limit=":              {"GET", "/channels/c/events?limit=" + text, "", []string{ann}, 400},
		"wait=":               {"GET", "/channels/c/events?wait=" + text, "", []string{ann}, 400},
		"event=":              {"POST", "/channels/c/events?event=" + text, "1", []string{ann, asJSON}, 400},
		"a reserved type":     {"POST", "/channels/c/events?event=runnel." + strings.Repeat("%F0%9F%8C%8A", 30), "1", []string{ann, asJSON}, 400},
		"exclude=":            {"POST", "/channels/c/events?exclude=" + text, "1", []string{ann, asJSON}, 403},
		"a content type":      {"POST", "/channels/c/events", "1", []string{ann, "Content-Type: " + strings.Repeat("x/y", 2000)}, 415},
		"an idempotency key":  {"POST", "/channels/c/events", "1", []string{ann, asJSON, "Idempotency-Key: " + strings.Repeat("k", 5000)}, 400},
		"a request ID":        {"GET", "/nothing", "", []string{ann, "X-Request-Id: " + strings.Repeat("r", 5000)}, 404},
		"an origin":           {"GET", "/channels/c/events", "", []string{"Cookie: runnel_token=x", "Origin: https://" + strings.Repeat("o.", 2500) + "example.com"}, 403},
		"a ticket's channel":  {"POST", "/tickets", `{"channels":[` + inJSON(odd(1000)) + `]}`, []string{token(nil, "ann"), asJSON}, 400},
		"a ticket's member":   {"POST", "/tickets", `{` + inJSON(odd(1000)) + `:1}`, []string{ann, asJSON}, 400},
		"a ticket":            {"GET", "/channels/c/events?ticket=" + text, "", nil, 401},
		"a token":             {"GET", "/channels/c/events", "", []string{"Authorization: Bearer " + strings.Repeat("t", 7000)}, 401},
		"a right's name":      {"GET", "/channels/c/events", "", []string{token(map[string]any{"subscribe" + strings.Repeat("s", 2): 1}, "ann")}, 401},
		"a pattern":           {"GET", "/channels/c/events", "", []string{token(map[string]any{"subscribe": []string{odd(256)}}, "ann")}, 401},
		"a pattern with **":   {"GET", "/channels/c/events", "", []string{token(map[string]any{"subscribe": []string{"**" + odd(250)}}, "ann")}, 401},
		"a user":              {"GET", "/channels/c/events", "", []string{token(nil, odd(2000))}, 401},
		"batch: no array":     {"POST", "/events", inJSON(odd(50000)), []string{server, asJSON}, 400},
		"a feed's position":   {"GET", "/channels/c/events?last_event_id=" + strings.Repeat("x", 5000), "", []string{ann, "Accept: text/event-stream"}, 400},
		"an operator's query": {"GET", "/channels?limit=" + text, "", []string{token(map[string]any{"admin": true}, "ops")}, 400},
		"a prefix":            {"GET", "/channels/" + long, "", []string{token(map[string]any{"admin": true}, "ops")}, 400},
	} {
		a := call(t, c.method, n.URL+c.path, c.body, c.headers...)
		if a.status != c.status {
			t.Errorf("%s: status %d: %.200s", name, a.status, a.body)
		}
		size := len(a.body)
		for header, values := range a.header {
			size += len(header) + len(strings.Join(values, ""))
		}
		if size > mostSaid+700 {
			t.Errorf("%s: the answer has %d bytes: %.200s", name, size, a.body)
		}
	}
}

// badMessages are messages, and items of batches, that are wrong in their text.
func badMessages() map[string]string {
	text := inJSON(odd(30000))
	return map[string]string{
		"a type":                  `{"type":` + text + `}`,
		"a member":                `{"type":"ping",` + text + `:1}`,
		"a member twice":          `{` + text + `:1,` + text + `:1}`,
		"a channel":               `{"type":"subscribe","channel":` + text + `}`,
		"a channel to leave":      `{"type":"unsubscribe","channel":` + text + `}`,
		"a channel to publish to": `{"type":"publish","data":1,"channel":` + text + `}`,
		"an event type":           `{"type":"publish","data":1,"channel":"c","event":` + text + `}`,
		"a key":                   `{"type":"publish","data":1,"channel":"c","idempotency_key":` + text + `}`,
		"a connection":            `{"type":"publish","data":1,"channel":"c","exclude":` + text + `}`,
		"a start":                 `{"type":"subscribe","channel":"c","since":` + text + `}`,
		"a position":              `{"type":"subscribe","channel":"c","last_event_id":` + text + `}`,
		"a page":                  `{"type":"history","channel":"c","before":` + text + `}`,
		"a ref":                   `{"type":"ping","ref":` + text + `}`,
		"a number":                `{"type":"history","channel":"c","limit":1` + strings.Repeat("0", 50000) + `}`,
		"a rewind":                `{"type":"subscribe","channel":"c","rewind":0.` + strings.Repeat("1", 50000) + `}`,
		"a list":                  `{"type":"history","channel":"c","limit":[` + text + `]}`,
		"no object":               text,
	}
}

// TestErrorsDoNotGrowOverWebSocket is the same for messages.
func TestErrorsDoNotGrowOverWebSocket(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	s := openSocket(t, n.Addr, "/ws")
	s.want("welcome")
	for name, message := range badMessages() {
		s.send(message)
		if m := s.want("error"); len(m.raw) > mostSaid {
			t.Errorf("%s: the error has %d bytes: %.200s", name, len(m.raw), m.raw)
		}
	}
}

// TestErrorsDoNotGrowInBatches is the same for items.
func TestErrorsDoNotGrowInBatches(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	for name, message := range badMessages() {
		item := strings.Replace(message, `"type":"publish",`, "", 1)
		a := call(t, "POST", n.URL+"/events", "["+item+"]", asJSON)
		if a.status != 200 || !strings.Contains(string(a.body), "error") || len(a.body) > mostSaid {
			t.Errorf("%s: status %d, %d bytes: %.200s", name, a.status, len(a.body), a.body)
		}
	}
}

// TestGoodbyesDoNotGrow is the same for close frames and for a feed's refusal.
func TestGoodbyesDoNotGrow(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--jwt-secret", secret, "--max-connections", "1")
	long := strings.Repeat("x", 3000)
	for name, path := range map[string]string{
		"a channel": "/channels/" + url.PathEscape(odd(1000)) + "/ws", "a position": "/channels/c/ws?last_event_id=" + long, "a token": "/ws?access_token=" + long,
	} {
		s := openSocket(t, n.Addr, path)
		_, err := s.next()
		var got closed
		if !errors.As(err, &got) || len(got.reason) > 123 {
			t.Errorf("%s: it ends with %.200v", name, err)
		}
		s.close()
	}
	ann := "Authorization: Bearer " + sign(t, secret, map[string]any{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix(), "runnel": map[string]any{"subscribe": []string{"**"}}})
	within(t, "the one connection there may be is open", func() bool {
		s, _, err := trySocket(t, n.Addr, "/ws?channel=c", ann)
		if err != nil || s == nil {
			return false
		}
		t.Cleanup(s.close)
		m, err := s.next()
		return err == nil && m.Type == "welcome"
	})
	a := call(t, "GET", n.URL+fmt.Sprint("/channels/c/events?last_event_id=", long), "", ann, "Accept: text/event-stream")
	if len(a.body) > mostSaid {
		t.Errorf("status %d, the refusal has %d bytes: %.300s", a.status, len(a.body), a.body)
	}
}

package client

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"runnel/hubtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quick are times for tests: everything happens, and soon.
var quick = times{
	attempt:  2 * time.Second,
	keyLife:  5 * time.Second,
	patience: 5 * time.Second,
	first:    2 * time.Millisecond,
	longest:  50 * time.Millisecond,
}

// hub answers each request with the next of its steps, the last one again and
// again, and keeps what it was asked.
type hub struct {
	*httptest.Server
	steps []http.HandlerFunc

	mu   sync.Mutex
	seen []*http.Request
}

func newHub(t *testing.T, steps ...http.HandlerFunc) *hub {
	h := &hub{steps: steps}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		step := h.steps[min(len(h.seen), len(h.steps)-1)]
		h.seen = append(h.seen, r)
		h.mu.Unlock()
		step(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hub) request(i int) *http.Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen[i]
}

func (h *hub) requests() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.seen)
}

func (h *hub) client(t *testing.T, o Options) *Client {
	t.Helper()
	o.URL = h.URL
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	c.times = quick
	t.Cleanup(c.Close)
	return c
}

// deadline is a context that no test should come to the end of.
func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), hubtest.Patience)
	t.Cleanup(cancel)
	return ctx
}

func feedHeader(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store, no-transform")
}

// sends writes a feed and ends it cleanly.
func sends(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		feedHeader(w)
		fmt.Fprint(w, text)
	}
}

// holds writes a feed and keeps it open until the client leaves.
func holds(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sends(text)(w, r)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

// cuts writes a feed and resets the connection, so that the client sees no
// proper end; reset false closes it in the middle of the chunked body instead.
func cuts(text string, reset bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sends(text)(w, r)
		w.(http.Flusher).Flush()
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		if reset {
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
		conn.Close()
	}
}

// says answers with a status and a body.
func says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func saysError(status int, code string, header ...string) http.HandlerFunc {
	return says(status, fmt.Sprintf(`{"error":{"code":%q,"message":"as it is","request_id":"r1"}}`, code), header...)
}

func welcome(id string) string {
	return "retry: 3\nevent: runnel.welcome\n" +
		`data: {"type":"welcome","connection":"c1","user":"u1","node":"n1","heartbeat":25}` +
		"\nid: " + id + "\n\n"
}

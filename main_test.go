package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"runnel/hubtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to happen.
const patience = hubtest.Patience

var update = flag.Bool("update", false, "write the golden files anew")

// TestHelp compares with testdata/help, which a person has read.
func TestHelp(t *testing.T) {
	for _, command := range []string{"", "serve", "publish", "subscribe", "token"} {
		args := []string{"--help"}
		if command != "" {
			args = []string{command, "--help"}
		}
		var out, errs bytes.Buffer
		if err := run(t.Context(), args, env("PORT=nonsense"), nil, &out, &errs); err != nil || errs.Len() > 0 {
			t.Errorf("%v: %v, %s", args, err, &errs)
		}
		golden := filepath.Join("testdata", "help", strings.Trim("runnel-"+command, "-")+".txt")
		var asked bytes.Buffer
		if err := run(t.Context(), strings.Fields("help "+command), env(), nil, &asked, io.Discard); err != nil || asked.String() != out.String() {
			t.Errorf("help %s: %v\n%s", command, err, &asked)
		}
		if *update {
			if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%v differs from %s (-update writes it): %v\n%s", args, golden, err, &out)
		}
		for i, line := range strings.Split(out.String(), "\n") {
			if len(line) > 100 {
				t.Errorf("%s:%d is too long for a terminal", golden, i+1)
			}
		}
	}
}

func TestVersion(t *testing.T) {
	for _, arg := range []string{"--version", "-v", "version"} {
		var out bytes.Buffer
		if err := run(t.Context(), []string{arg}, env(), nil, &out, io.Discard); err != nil || !strings.HasPrefix(out.String(), "runnel ") {
			t.Errorf("%s: %q, %v", arg, &out, err)
		}
	}
}

// unreliable is a hub's publishing side that fails now and then, in every way
// that a hub does: each request names the next way.
type unreliable struct {
	*httptest.Server
	mu       sync.Mutex
	requests int
	ids      map[string]string // by idempotency key
	events   []string
}

func newUnreliable(t *testing.T) *unreliable {
	h := &unreliable{ids: map[string]string{}}
	h.Server = httptest.NewServer(http.HandlerFunc(h.serve))
	t.Cleanup(h.Close)
	return h
}

func (h *unreliable) add(key, data string) string {
	if h.ids[key] == "" {
		h.events = append(h.events, data)
		h.ids[key] = fmt.Sprintf("1000-%d", len(h.events))
	}
	return h.ids[key]
}

func (h *unreliable) serve(w http.ResponseWriter, r *http.Request) {
	var items []struct {
		Channel, Text string
		Data          json.RawMessage
		Key           string `json:"idempotency_key"`
	}
	if r.URL.Path != "/events" || json.NewDecoder(r.Body).Decode(&items) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests++
	way := h.requests % 5
	if way == 1 { // away, and says so
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"error":{"code":"unavailable","message":"away"}}`)
		return
	}
	var out []string
	for i, item := range items {
		switch data := item.Text + string(item.Data); {
		case strings.HasPrefix(data, "refuse"):
			out = append(out, `{"error":{"code":"too_large","message":"as it is"}}`)
		case way == 2 && i > len(items)/2: // the log went away in the middle
			out = append(out, `{"error":{"code":"unavailable","message":"away"}}`)
		case way == 3 && i == len(items)-1: // in doubt, and in truth appended
			h.add(item.Key, data)
			out = append(out, `{"error":{"code":"unknown_outcome","message":"?"}}`)
		default:
			out = append(out, fmt.Sprintf(`{"id":%q}`, h.add(item.Key, data)))
		}
	}
	if way == 4 { // appended, and the answer lost with the connection
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "[%s]", strings.Join(out, ","))
}

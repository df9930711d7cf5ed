package server

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"runnel/auth"
	"runnel/hubtest"
	"runnel/streams"
)

const (
	testSecret = "0123456789abcdef0123456789abcdef"
	testAPIKey = "key-0123456789abcdef"
	testOrigin = "https://app.example.com"
)

// node is a server over a memory log, reached over real HTTP.
type node struct {
	*Server
	t      testing.TB
	url    string
	store  *streams.Memory
	auth   auth.Config
	output *hubtest.Output // what was logged
	client *http.Client
}

// startNode starts a node with keys. The changes are made to its
// configuration; demo mode is auth without keys.
func startNode(t testing.TB, changes ...func(*Config, *auth.Config)) *node {
	t.Helper()
	n := &node{t: t, output: &hubtest.Output{}, store: streams.NewMemory(0), client: &http.Client{Transport: &http.Transport{}}}
	n.auth = auth.Config{Secrets: [][]byte{[]byte(testSecret)}, APIKeys: []auth.APIKey{{Name: "tests", Key: testAPIKey}}, Origins: []string{testOrigin}}
	logger := slog.New(slog.NewTextHandler(n.output, &slog.HandlerOptions{Level: slog.LevelDebug}))
	config := Config{Logger: logger, Node: "n1", Version: "v0.0.0-test", Store: "memory:", Drain: time.Millisecond}
	for _, change := range changes {
		change(&config, &n.auth)
	}
	n.auth.Logger = logger
	verifier, err := auth.New(context.Background(), n.auth)
	if err != nil {
		t.Fatal(err)
	}
	config.Verifier = verifier
	config.Broker = streams.NewBroker(streams.BrokerOptions{Log: n.store, Node: "n1", Logger: logger, ProbeEvery: 20 * time.Millisecond})
	if n.Server, err = New(config); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(n.Handler())
	n.url = web.URL
	t.Cleanup(func() {
		n.client.CloseIdleConnections()
		n.Server.Close()
		web.Close()
		config.Broker.Close()
		n.store.Close()
		verifier.Close()
	})
	return n
}

// demo starts the node without keys.
func demo(_ *Config, a *auth.Config) { *a = auth.Config{} }

// token returns a user's token.
func (n *node) token(claims auth.Claims) string {
	n.t.Helper()
	token, err := n.auth.Sign(&claims, time.Hour)
	if err != nil {
		n.t.Fatal(err)
	}
	return token
}

func patterns(t testing.TB, texts ...string) (p auth.Patterns) {
	t.Helper()
	for _, s := range texts {
		pattern, err := auth.ParsePattern(s)
		if err != nil {
			t.Fatal(err)
		}
		p = append(p, pattern)
	}
	return p
}

// request is one to send; header holds "Name: value" lines.
type request struct {
	method, path, body, kind, token string
	header                          []string
}

// reply is what came back, read to the end.
type reply struct {
	*http.Response
	body string
}

func (n *node) send(r request) reply {
	n.t.Helper()
	got, err := n.exchange(r)
	if err != nil {
		n.t.Fatal(err)
	}
	return got
}

// cut returns what came of a body that is cut.
func (n *node) cut(r request) string {
	n.t.Helper()
	got, err := n.exchange(r)
	if err != io.ErrUnexpectedEOF {
		n.t.Fatalf("the body ends with %v", err)
	}
	return got.body
}

// exchange returns the answer, and how reading its body ended.
func (n *node) exchange(r request) (reply, error) {
	n.t.Helper()
	req, err := http.NewRequest(r.method, n.url+r.path, strings.NewReader(r.body))
	if err != nil {
		n.t.Fatal(err)
	}
	if r.kind != "" {
		req.Header.Set("Content-Type", r.kind)
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	for _, line := range r.header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	resp, err := n.client.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp, string(body)}, err
}

// publish sends an event as a server does.
func (n *node) publish(path, kind, body string, header ...string) reply {
	n.t.Helper()
	return n.send(request{method: "POST", path: path, kind: kind, body: body, token: testAPIKey, header: header})
}

// wantCode checks that the answer is an error of protocol.md's shape.
func (n *node) wantCode(r reply, status int, code string) {
	n.t.Helper()
	if r.StatusCode != status {
		n.t.Fatalf("status %d, want %d %s: %s", r.StatusCode, status, code, r.body)
	}
	var e struct {
		Error struct {
			Code, Message string
			RequestID     string `json:"request_id"`
		}
	}
	decodeAll(n.t, r.body, &e)
	if e.Error.Code != code || e.Error.Message == "" || e.Error.RequestID != r.Header.Get("X-Request-Id") {
		n.t.Fatalf("error %+v, want code %s and the request ID %q", e.Error, code, r.Header.Get("X-Request-Id"))
	}
	if got := r.Header.Get("Content-Type"); got != "application/json" {
		n.t.Fatalf("Content-Type %q", got)
	}
}

// stored returns the channel's events, oldest first.
func (n *node) stored(channel string) []*streams.Event {
	n.t.Helper()
	page, err := n.store.Range(context.Background(), channel, streams.Query{Events: 1000, Bytes: 64 << 20})
	if err != nil {
		n.t.Fatal(err)
	}
	return page.Events
}

// decodeAll decodes a whole JSON text without unknown members.
func decodeAll(t testing.TB, text string, into any) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if _, err := dec.Token(); err != io.EOF {
		t.Fatalf("something follows the JSON in %s", text)
	}
}

// patience is how long a test waits for what has to happen.
const patience = hubtest.Patience

// eventually waits until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("without broker and verifier")
	}
	broken := DefaultLimits()
	broken.Data = 0
	if err := (&Config{Limits: broken}).setDefaults(); err == nil || !strings.Contains(err.Error(), "Data") {
		t.Errorf("limit of 0: %v", err)
	}
	broken = DefaultLimits()
	broken.FeedChannels = streams.MaxCursor + 1
	if err := (&Config{Limits: broken}).setDefaults(); err == nil {
		t.Error("more channels than a cursor holds")
	}
	n := &Config{}
	if err := n.setDefaults(); err != nil || n.Limits.Connections == 0 {
		t.Errorf("defaults: %v, %+v", err, n.Limits)
	}
}

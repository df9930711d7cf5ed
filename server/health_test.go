package server

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"runnel/auth"
)

type health struct {
	Status, Cause, Version, Node, Store string
	Uptime, Connections                 int
}

func TestHealth(t *testing.T) {
	n := startNode(t)
	var alive, ready health
	eventually(t, "ready", func() bool { return n.send(request{method: "GET", path: "/readyz"}).StatusCode == http.StatusOK })
	var a admission
	if err := n.admit(&a, &http.Request{RemoteAddr: "192.0.2.1:1"}, &auth.Claims{}, &n.open.poll); err != nil {
		t.Fatal(err)
	}
	defer a.release()
	decodeAll(t, n.send(request{method: "GET", path: "/healthz"}).body, &alive)
	decodeAll(t, n.send(request{method: "GET", path: "/readyz"}).body, &ready)
	if alive != (health{"alive", "", "v0.0.0-test", "n1", "memory", alive.Uptime, 1}) || ready.Status != "ready" || ready.Connections != 1 {
		t.Errorf("%+v, %+v", alive, ready)
	}
	if r := n.send(request{method: "HEAD", path: "/readyz"}); r.StatusCode != http.StatusOK || r.body != "" {
		t.Errorf("HEAD: %d %q", r.StatusCode, r.body)
	}
}

func TestReadyNamesTheCause(t *testing.T) {
	n := startNode(t)
	n.store.Close()
	var got health
	eventually(t, "not ready", func() bool {
		r := n.send(request{method: "GET", path: "/readyz"})
		got = health{}
		decodeAll(t, r.body, &got)
		return r.StatusCode == http.StatusServiceUnavailable
	})
	if got.Status != "unavailable" || got.Cause != "the log cannot be reached" {
		t.Errorf("anybody is told %+v", got)
	}
	own := httptest.NewRequest("GET", "/readyz", nil)
	own.Host = "127.0.0.1:9090"
	w := httptest.NewRecorder()
	n.AdminHandler().ServeHTTP(w, own)
	for who, body := range map[string]string{
		"an admin":          n.send(request{method: "GET", path: "/readyz", token: n.token(auth.Claims{Subject: "root", Admin: true})}).body,
		"the admin address": w.Body.String(),
	} {
		got = health{}
		if decodeAll(t, body, &got); got.Status != "unavailable" || got.Cause == "" || got.Cause == "the log cannot be reached" {
			t.Errorf("%s is told %+v", who, got)
		}
	}
	if r := n.send(request{method: "GET", path: "/healthz"}); r.StatusCode != http.StatusOK {
		t.Errorf("not alive: %d", r.StatusCode)
	}
}

func TestAboutWithoutPage(t *testing.T) {
	n := startNode(t)
	if r := n.send(request{method: "GET", path: "/"}); r.body != `{"name":"runnel","version":"v0.0.0-test"}` {
		t.Error(r.body)
	}
}

// metricNames are the metrics that operators and their dashboards rely on.
var metricNames = []string{
	`runnel_connections{transport="sse"}`, `runnel_connections{transport="websocket"}`, `runnel_connections{transport="poll"}`,
	"runnel_subscriptions", "runnel_channels", "runnel_tail_bytes", "runnel_uptime_seconds", "runnel_info{",
	`runnel_publishes_total{outcome="stored"}`, `runnel_publishes_total{outcome="ephemeral"}`, `runnel_publishes_total{outcome="failed"}`,
	"runnel_deliveries_total", "runnel_publish_to_write_seconds_bucket", "runnel_publish_to_write_seconds_count",
	`runnel_resumes_total{outcome="exact"}`, `runnel_resumes_total{outcome="trimmed"}`, `runnel_resumes_total{outcome="expired"}`,
	`runnel_resumes_total{outcome="unknown"}`, `runnel_resumes_total{outcome="rollback"}`,
	"runnel_history_reads_total", "runnel_write_timeouts_total", `runnel_rejected_total{reason="connection_limit"}`,
	"runnel_log_errors_total", "runnel_redis_reconnects_total", "go_goroutines", "process_open_fds",
}

func TestMetrics(t *testing.T) {
	n := startNode(t)
	n.publish("/channels/c/events", asJSON, "1")
	n.publish("/channels/c/events?ephemeral=true", asJSON, "1")
	n.publish("/channels/c/events", asJSON, "")
	n.batch(asJSON, `[{"channel":"c","data":1},{"channel":"c"}]`, testAPIKey)
	n.Server.metrics.latency.observe(3000000)
	admin := n.token(auth.Claims{Subject: "root", Admin: true})
	body := n.send(request{method: "GET", path: "/metrics", token: admin}).body
	for _, name := range metricNames {
		if !strings.Contains(body, "\n"+name) {
			t.Errorf("no %s", name)
		}
	}
	for _, line := range []string{`runnel_publishes_total{outcome="stored"} 2`, `runnel_publishes_total{outcome="ephemeral"} 1`,
		`runnel_rejected_total{reason="bad_request"} 2`, "runnel_publish_to_write_seconds_count 1",
		`runnel_publish_to_write_seconds_bucket{le="0.002048"} 0`, `runnel_publish_to_write_seconds_bucket{le="0.004096"} 1`} {
		if !strings.Contains(body, "\n"+line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
}

func TestDocumentedMetricsExist(t *testing.T) {
	doc, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	n := startNode(t) // with an API key: uses are counted by key
	body := n.send(request{method: "GET", path: "/metrics", token: n.token(auth.Claims{Subject: "root", Admin: true})}).body
	for _, word := range strings.FieldsFunc(string(doc), func(r rune) bool {
		return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}) {
		if strings.HasPrefix(word, "runnel_") && word != "runnel_token" && !strings.Contains(body, "\n"+word) {
			t.Errorf("docs/operations.md names %s, which does not exist", word)
		}
	}
}

func TestAdminSurface(t *testing.T) {
	n := startNode(t)
	admin, user := n.token(auth.Claims{Subject: "root", Admin: true}), n.token(auth.Claims{Subject: "alice"})
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/goroutine"} {
		n.wantCode(n.send(request{method: "GET", path: path}), http.StatusUnauthorized, codeUnauthorized)
		n.wantCode(n.send(request{method: "GET", path: path, token: user}), http.StatusForbidden, codeForbidden)
		n.wantCode(n.send(request{method: "GET", path: path, token: testAPIKey}), http.StatusForbidden, codeForbidden)
		if r := n.send(request{method: "GET", path: path, token: admin}); r.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	n.wantCode(n.send(request{method: "GET", path: "/debug/pprof/cmdline", token: admin}), http.StatusNotFound, codeNotFound)

	elsewhere := startNode(t, func(c *Config, _ *auth.Config) { c.AdminListen, c.AdminHosts = "hub.internal:9090", []string{"runnel"} })
	elsewhere.wantCode(elsewhere.send(request{method: "GET", path: "/metrics", token: admin}), http.StatusNotFound, codeNotFound)
	for _, path := range []string{"/metrics", "/healthz", "/debug/pprof/heap"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", path, nil)
		r.Host = "127.0.0.1:9090"
		elsewhere.AdminHandler().ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
	}

	refusesOtherPages(t, elsewhere)

	open := startNode(t, demo)
	if r := open.send(request{method: "GET", path: "/metrics"}); r.StatusCode != http.StatusOK {
		t.Errorf("demo mode: %d", r.StatusCode)
	}
}

func TestDemoModeIsForLoopbackOnly(t *testing.T) {
	n := startNode(t, demo)
	if r := n.send(request{method: "POST", path: "/channels/c/events", kind: asJSON, body: "1"}); r.StatusCode != http.StatusCreated {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	r := n.send(request{method: "POST", path: "/channels/c/events", kind: asJSON, body: "1", header: []string{"Origin: https://evil.example"}})
	n.wantCode(r, http.StatusForbidden, codeForbidden)
}

// refusesOtherPages: an address without tokens is reached by every page that is
// open in an operator's browser, under names that others point at it, too.
func refusesOtherPages(t *testing.T, n *node) {
	t.Helper()
	for _, c := range []struct {
		path, host, origin, site string
		want                     int
	}{
		{"/metrics", "10.0.0.5:9090", "", "", http.StatusOK},
		{"/metrics", "[fd00::5]:9090", "", "", http.StatusOK},
		{"/metrics", "localhost:9090", "http://localhost:3000", "", http.StatusOK},
		{"/metrics", "Hub.internal:9090", "http://hub.internal:9090", "", http.StatusOK},
		{"/metrics", "runnel:9090", "", "", http.StatusOK},
		{"/metrics", "Runnel:9090", "http://runnel:9090", "", http.StatusOK},
		{"/metrics", "runnel.example:9090", "", "", http.StatusForbidden},
		{"/metrics", "rebound.example:9090", "", "", http.StatusForbidden},
		{"/channels", "rebound.example:9090", "", "", http.StatusForbidden},
		{"/node", "rebound.example:9090", "", "", http.StatusForbidden},
		{"/", "rebound.example:9090", "", "", http.StatusForbidden},
		{"/debug/pprof/heap", "rebound.example:9090", "", "", http.StatusForbidden},
		{"/metrics", "10.0.0.5:9090", "https://rebound.example", "", http.StatusForbidden},
		{"/metrics", "10.0.0.5:9090", testOrigin, "", http.StatusForbidden},
		{"/metrics", "10.0.0.5:9090", "null", "", http.StatusForbidden},
		{"/metrics", "10.0.0.5:9090", "", "cross-site", http.StatusForbidden},
		{"/debug/pprof/profile?seconds=61", "10.0.0.5:9090", "", "", http.StatusBadRequest},
		{"/debug/pprof/trace?seconds=NaN", "10.0.0.5:9090", "", "", http.StatusBadRequest},
		{"/healthz", "rebound.example", "https://rebound.example", "", http.StatusOK},
	} {
		r := httptest.NewRequest("GET", c.path, nil)
		r.Host = c.host
		for name, value := range map[string]string{"Origin": c.origin, "Sec-Fetch-Site": c.site} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		n.AdminHandler().ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
		}
	}
}

package server

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"

	"runnel/auth"
)

// TestAPIKeyReads: a key with rights reads and publishes what they name, on
// every way, and an operator sees its name and never the key.
func TestAPIKeyReads(t *testing.T) {
	const reports = "reports-0123456789"
	key := auth.APIKey{Name: "reports", Key: reports, Rights: &auth.Rights{
		Subscribe: patterns(t, "orders:*"), Publish: patterns(t, "reports"),
	}}
	n := startNode(t, func(_ *Config, a *auth.Config) { a.APIKeys = append(a.APIKeys, key) })
	get := func(path string) reply { t.Helper(); return n.send(request{method: "GET", path: path, token: reports}) }
	for path, status := range map[string]int{
		"/channels/orders:1/events":                 http.StatusOK,
		"/events?channel=orders:1&channel=orders:2": http.StatusOK,
		"/events?channel=orders:1&channel=news":     http.StatusForbidden,
		"/channels/news/events":                     http.StatusForbidden,
		"/channels/user:ann/events":                 http.StatusForbidden,
		"/channels":                                 http.StatusForbidden, // an operator's
	} {
		if r := get(path); r.StatusCode != status {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.body)
		}
	}
	for path, status := range map[string]int{"/channels/reports/events": http.StatusCreated, "/channels/orders:1/events": http.StatusForbidden} {
		if r := n.send(request{method: "POST", path: path, kind: asJSON, body: "1", token: reports}); r.StatusCode != status {
			t.Errorf("publishing to %s: %d %s", path, r.StatusCode, r.body)
		}
	}

	feed := openFeed(t, n, "/channels/orders:1/events", reports)
	admin := n.token(auth.Claims{Subject: "ops", Admin: true})
	shown := n.send(request{method: "GET", path: "/channels/orders:1", token: admin}).body
	if !strings.Contains(shown, `"transport":"sse","key":"reports"`) {
		t.Errorf("the reader is shown as %s", shown)
	}
	metrics := n.send(request{method: "GET", path: "/metrics", token: admin}).body
	for _, line := range []string{`runnel_api_key_uses_total{key="reports"} 9`, `runnel_api_key_uses_total{key="tests"} 0`} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("%s is missing in\n%s", line, metrics)
		}
	}
	if strings.Contains(shown+metrics+n.output.String(), reports) {
		t.Error("the key is told")
	}

	// Other rights: who comes again has them.
	n.auth.APIKeys[1].Rights = &auth.Rights{Subscribe: patterns(t, "orders:2")}
	if err := n.verifier.Reload(context.Background(), n.auth); err != nil {
		t.Fatal(err)
	}
	n.Recheck()
	if rest := restOf(feed); !strings.Contains(rest, "event: runnel.error") || !strings.Contains(rest, `"code":"unavailable","message":"the rights of this API key have changed; connect again"`) {
		t.Errorf("the feed ended with\n%s", rest)
	}
	if r := get("/channels/orders:1/events"); r.StatusCode != http.StatusForbidden {
		t.Errorf("with other rights: %d %s", r.StatusCode, r.body)
	}
}

// openFeed returns a feed that stands behind its welcome.
func openFeed(t *testing.T, n *node, path, token string) *bufio.Scanner {
	t.Helper()
	req, _ := http.NewRequestWithContext(t.Context(), "GET", n.url+path, nil)
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := n.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() && lines.Text() != "event: runnel.welcome" {
	}
	return lines
}

func restOf(feed *bufio.Scanner) string {
	var rest strings.Builder
	for feed.Scan() {
		rest.WriteString(feed.Text() + "\n")
	}
	return rest.String()
}

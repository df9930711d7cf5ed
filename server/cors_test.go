package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"runnel/auth"
)

func TestCORS(t *testing.T) {
	n := startNode(t)
	for _, path := range []string{"/healthz", "/nothing", "/tickets"} {
		r := n.send(request{method: "POST", path: path, header: []string{"Origin: " + testOrigin}})
		h := r.Header
		if h.Get("Access-Control-Allow-Origin") != testOrigin || h.Get("Access-Control-Allow-Credentials") != "true" {
			t.Errorf("%s: %v", path, h)
		}
		for _, name := range []string{"Retry-After", "X-Request-Id", "WWW-Authenticate"} {
			if !strings.Contains(h.Get("Access-Control-Expose-Headers"), name) {
				t.Errorf("%s is not exposed", name)
			}
		}
		if h.Get("Vary") != "Accept, Origin" || h.Get("Cache-Control") != "no-store, no-transform" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, h)
		}
		other := n.send(request{method: "POST", path: path, header: []string{"Origin: https://evil.example"}})
		if got := other.Header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s: %q for another origin", path, got)
		}
	}
}

func TestPreflight(t *testing.T) {
	n := startNode(t)
	ask := func(origin string) reply {
		return n.send(request{method: "OPTIONS", path: "/channels/c/events", header: []string{
			"Origin: " + origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,idempotency-key"}})
	}
	r := ask(testOrigin)
	if r.StatusCode != http.StatusNoContent || !strings.Contains(r.Header.Get("Access-Control-Allow-Methods"), "POST") {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	for _, name := range []string{"Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-Request-Id", "Cache-Control", "Pragma", "X-Requested-With"} {
		if !slices.Contains(strings.Split(r.Header.Get("Access-Control-Allow-Headers"), ", "), name) {
			t.Errorf("%s is not allowed", name)
		}
	}
	n.wantCode(ask("https://evil.example"), http.StatusForbidden, codeForbidden)
	n.wantCode(ask("null"), http.StatusForbidden, codeForbidden)
}

func TestCORSForEverybodyHasNoCredentials(t *testing.T) {
	n := startNode(t, func(_ *Config, a *auth.Config) { a.Origins = []string{"*"} })
	r := n.send(request{method: "GET", path: "/healthz", header: []string{"Origin: https://any.example"}})
	if r.Header.Get("Access-Control-Allow-Origin") != "*" || r.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%v", r.Header)
	}
}

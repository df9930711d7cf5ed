package main

import (
	"log/slog"
	"net/http/httptest"
	"os"
	"testing"
)

// TestReloadLeavesProxies: which proxies are trusted needs a restart, for the
// scheme of a request as for its address.
func TestReloadLeavesProxies(t *testing.T) {
	file := writeFile(t, "api_key: "+testKey+"\ntrust_proxy: 10.0.0.0/8\n")
	cfg, err := parseConfig([]string{"--config", file}, env())
	if err != nil {
		t.Fatal(err)
	}
	n := &node{name: "n", log: slog.New(slog.DiscardHandler)}
	n.config.Store(cfg)
	defer n.close()
	if err := n.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "http://hub.example/ws", nil)
	r.Header.Set("Origin", "http://hub.example")
	r.Header.Set("X-Forwarded-Proto", "https")
	for _, trusted := range []string{"10.0.0.0/8", r.RemoteAddr[:9], "10.0.0.0/8"} {
		if err := os.WriteFile(file, []byte("api_key: "+testKey+"\ntrust_proxy: "+trusted+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := n.reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := n.verifier.CheckOrigin(r); err != nil {
			t.Errorf("with %s in the file: %v", trusted, err)
		}
	}
}

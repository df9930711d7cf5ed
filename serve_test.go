package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"strings"
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

// TestTakenPort: the flag is named whose address another program has.
func TestTakenPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	for _, args := range [][]string{{"--listen", address}, {"--listen", "127.0.0.1:0", "--admin-listen", address}} {
		err := run(t.Context(), args, env(), nil, io.Discard, io.Discard)
		flag := args[len(args)-2]
		if err == nil || exitCode(err, io.Discard) != 1 || !strings.Contains(err.Error(), fmt.Sprintf("%s: %s is taken, perhaps by a hub that runs already; end that one, or set %s to another port", flag, address, flag)) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

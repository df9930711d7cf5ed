package server

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"runnel/auth"
)

func TestClientIP(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:5", nil, "192.0.2.1"},
		{"192.0.2.1:5", []string{"1.1.1.1"}, "192.0.2.1"},
		{"10.0.0.1:5", nil, "10.0.0.1"},
		{"10.0.0.1:5", []string{"1.1.1.1"}, "1.1.1.1"},
		{"10.0.0.1:5", []string{"9.9.9.9, 1.1.1.1"}, "1.1.1.1"},
		{"10.0.0.1:5", []string{"9.9.9.9, 1.1.1.1 , 10.0.0.2"}, "1.1.1.1"},
		{"10.0.0.1:5", []string{"9.9.9.9", "1.1.1.1", "10.0.0.2"}, "1.1.1.1"},
		{"10.0.0.1:5", []string{"10.0.0.3,10.0.0.2"}, "10.0.0.3"},
		{"10.0.0.1:5", []string{"1.1.1.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"10.0.0.1:5", []string{"garbage"}, "10.0.0.1"},
		{"10.0.0.1:5", []string{""}, "10.0.0.1"},
		{"10.0.0.1:5", []string{"1.1.1.1:4711"}, "1.1.1.1"},
		{"10.0.0.1:5", []string{"[2001:db8::1]:80"}, "2001:db8::1"},
		{"10.0.0.1:5", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"[fd00::1]:5", []string{"2001:db8::1"}, "2001:db8::1"},
		{"[::ffff:10.0.0.1]:5", []string{"::ffff:1.1.1.1"}, "1.1.1.1"},
		{"@", nil, "invalid IP"},
	} {
		warned := 0
		a := &clientAddresses{trusted: proxies, warn: func(netip.Addr) { warned++ }}
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		for _, line := range c.forwarded {
			r.Header.Add("X-Forwarded-For", line)
		}
		for range 2 {
			if got := a.of(r).String(); got != c.want {
				t.Errorf("%s, %q: %s, want %s", c.peer, c.forwarded, got, c.want)
			}
		}
		if untrusted := c.forwarded != nil && strings.HasPrefix(c.peer, "192"); (warned == 1) != untrusted {
			t.Errorf("%s, %q: %d warnings", c.peer, c.forwarded, warned)
		}
	}
}

func TestForwardedFromElsewhereIsWarnedOfOnce(t *testing.T) {
	n := startNode(t)
	for range 3 {
		n.clientIP(&http.Request{RemoteAddr: "192.0.2.1:5", Header: http.Header{"X-Forwarded-For": {"1.1.1.1"}}})
	}
	if got := strings.Count(n.output.String(), "--trust-proxy"); got != 1 {
		t.Errorf("%d warnings: %s", got, n.output)
	}
}

func TestNetworks(t *testing.T) {
	for addr, want := range map[string]string{"192.0.2.1": "192.0.2.1/32", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "": "invalid Prefix"} {
		if got := network(parseAddr(addr)).String(); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

func TestScheme(t *testing.T) {
	scheme := Scheme([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	for _, c := range []struct{ peer, proto, want string }{
		{"10.0.0.1:5", "https", "https"},
		{"10.0.0.1:5", "gopher", "http"},
		{"10.0.0.1:5", "", "http"},
		{"192.0.2.1:5", "https", "http"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-Proto": {c.proto}}}
		if got := scheme(r); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// FuzzForwardedFor checks that a trusted proxy's header never makes a client
// of what no untrusted hop stands right of.
func FuzzForwardedFor(f *testing.F) {
	f.Add("1.1.1.1, 10.0.0.2")
	f.Add(",,[::1]:5, ::ffff:10.0.0.1")
	f.Fuzz(func(t *testing.T, header string) {
		a := &clientAddresses{trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, warn: func(netip.Addr) {}}
		r := &http.Request{RemoteAddr: "10.0.0.1:5", Header: http.Header{"X-Forwarded-For": {header + ", 203.0.113.7"}}}
		if got := a.of(r).String(); got != "203.0.113.7" {
			t.Fatalf("%q: %s", header, got)
		}
		r.Header.Set("X-Forwarded-For", header)
		if addr := a.of(r); !addr.IsValid() || addr.Zone() != "" || addr.Is4In6() {
			t.Fatalf("%q: %v", header, addr)
		}
	})
}

func TestDebugLogNamesClientNotToken(t *testing.T) {
	n := startNode(t, func(c *Config, _ *auth.Config) { c.TrustProxy = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	n.send(request{method: "POST", path: "/tickets?access_token=secret", header: []string{"X-Forwarded-For: 203.0.113.7"}})
	eventually(t, "a line for the request", func() bool { return strings.Contains(n.output.String(), "client=203.0.113.7") })
	if strings.Contains(n.output.String(), "secret") {
		t.Error("a token in the log")
	}
}

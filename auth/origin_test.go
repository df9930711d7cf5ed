package auth

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestCheckOrigin(t *testing.T) {
	v := verifier(t, Config{Secrets: [][]byte{secret}, Origins: []string{
		"https://app.example.com", "http://dev.example.com:3000", "https://*.example.org", "https://*.ports.example:8443", "capacitor://localhost", "https://DEFAULT.example:443",
	}})
	for _, c := range []struct {
		origin, host string
		ok           bool
	}{
		{"http://hub.example", "hub.example", true},
		{"http://hub.example", "hub.example:80", true},
		{"http://hub.example:8080", "hub.example:8080", true},
		{"http://HUB.example", "Hub.Example", true},
		{"http://[::1]:8080", "[::1]:8080", true},
		{"https://hub.example", "hub.example", true}, // TLS ended by a proxy
		{"https://hub.example", "hub.example:443", true},
		{"http://hub.example", "hub.example:8080", false},
		{"http://hub.example:8080", "hub.example", false},
		{"https://hub.example", "hub.example:80", false},
		{"http://sub.hub.example", "hub.example", false},
		{"http://hub.example.evil.example", "hub.example", false},
		{"ftp://hub.example", "hub.example", false},
		{"capacitor://hub.example", "hub.example", false},

		{"https://app.example.com", "hub.example", true},
		{"https://app.example.com:443", "hub.example", true},
		{"http://app.example.com", "hub.example", false},
		{"https://app.example.com:8443", "hub.example", false},
		{"https://example.com", "hub.example", false},
		{"https://xapp.example.com", "hub.example", false},
		{"https://app.example.com.evil.example", "hub.example", false},
		{"http://dev.example.com:3000", "hub.example", true},
		{"http://dev.example.com", "hub.example", false},
		{"https://default.example", "hub.example", true},
		{"capacitor://localhost", "hub.example", true},

		{"https://a.example.org", "hub.example", true},
		{"https://a.b.example.org", "hub.example", true},
		{"https://example.org", "hub.example", false},
		{"https://.example.org", "hub.example", false},
		{"https://evilexample.org", "hub.example", false},
		{"http://a.example.org", "hub.example", false},
		{"https://a.example.org:8443", "hub.example", false},
		{"https://a.example.org.evil.example", "hub.example", false},
		{"https://evil.example#.example.org", "hub.example", false},
		{"https://evil.example/.example.org", "hub.example", false},
		{"https://evil.example\\.example.org", "hub.example", false},
		{"https://u@a.example.org", "hub.example", false},
		{"https://evil.example:1@a.example.org", "hub.example", false},
		{"https://a.ports.example:8443", "hub.example", true},
		{"https://a.ports.example", "hub.example", false},

		{"null", "hub.example", false},
		{"null", "null", false},
		{"", "hub.example", false},
		{"http://", "", false},
		{"hub.example", "hub.example", false},
		{"//hub.example", "hub.example", false},
		{"http://hub.example/", "hub.example", false},
		{"http://hub.example:", "hub.example:", false},
		{"http://hub.example:080", "hub.example", false},
		{"http://hub.example http://evil.example", "hub.example", false},
	} {
		r := request("/", "Host: "+c.host, "Origin: "+c.origin)
		err := v.CheckOrigin(r)
		named, allowed := v.AllowedOrigin(r)
		if c.ok && (err != nil || named != c.origin || !allowed) {
			t.Errorf("%s at %s: %v, CORS %q %v", c.origin, c.host, err, named, allowed)
		}
		if !c.ok {
			if allowed {
				t.Errorf("%s at %s: CORS", c.origin, c.host)
			}
			wantErr(t, err, ErrOrigin)
		}
	}
}

func TestCheckOriginWithoutOne(t *testing.T) {
	v := verifier(t, Config{Secrets: [][]byte{secret}})
	for site, ok := range map[string]bool{"": true, "none": true, "same-origin": true, "same-site": true, "cross-site": false, "Cross-Site": false} {
		r := request("/")
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		if err := v.CheckOrigin(r); (err == nil) != ok {
			t.Errorf("Sec-Fetch-Site %q: %v", site, err)
		}
		if o, allowed := v.AllowedOrigin(r); allowed {
			t.Errorf("CORS for no page: %q", o)
		}
	}
	// Being of another site does not matter where the page is allowed by name.
	if err := v.CheckOrigin(request("/", "Origin: http://hub.example", "Sec-Fetch-Site: cross-site")); err != nil {
		t.Error(err)
	}
}

func TestOwnOriginScheme(t *testing.T) {
	secure := request("/", "Origin: http://hub.example")
	secure.TLS = new(tls.ConnectionState)
	plain := verifier(t, Config{Secrets: [][]byte{secret}})
	wantErr(t, plain.CheckOrigin(secure), ErrOrigin)
	secure.Header.Set("Origin", "https://hub.example")
	if err := plain.CheckOrigin(secure); err != nil {
		t.Error(err)
	}
	// A proxy that is trusted says the client came over TLS.
	proxied := verifier(t, Config{Secrets: [][]byte{secret}, Scheme: func(*http.Request) string { return "https" }})
	wantErr(t, proxied.CheckOrigin(request("/", "Origin: http://hub.example")), ErrOrigin)
	if err := proxied.CheckOrigin(request("/", "Origin: https://hub.example")); err != nil {
		t.Error(err)
	}
}

// "*" lets pages in that bring a token, not the browser's cookies.
func TestAnyOrigin(t *testing.T) {
	v := verifier(t, Config{Secrets: [][]byte{secret}, Origins: []string{"*", "https://app.example.com"}})
	cookie := "Cookie: runnel_token=" + hmacToken(t, nil)
	anyone, known := request("/", "Origin: https://anyone.example", cookie), request("/", "Origin: https://app.example.com", cookie)
	if err := v.CheckOrigin(anyone); err != nil {
		t.Error(err)
	}
	_, err := v.Request(context.Background(), anyone)
	wantErr(t, err, ErrOrigin)
	if o, ok := v.AllowedOrigin(anyone); o != "*" || !ok {
		t.Errorf("CORS for anyone: %q, %v", o, ok)
	}
	if _, err := v.Request(context.Background(), known); err != nil {
		t.Error(err)
	}
	if o, ok := v.AllowedOrigin(known); o != "https://app.example.com" || !ok {
		t.Errorf("CORS for a page by name: %q, %v", o, ok)
	}
	wantErr(t, v.CheckOrigin(request("/", "Origin: null")), ErrOrigin)
	if o, ok := v.AllowedOrigin(request("/", "Origin: null")); ok {
		t.Errorf("CORS for null: %q", o)
	}
}

func TestBadOrigins(t *testing.T) {
	for _, s := range []string{"", "app.example.com", "https://app.example.com/", "https://app.example.com/x", "https://*", "https://*.com", "https://*.*.example.com", "https://a.*.example.com", "https://**.example.com", "null", "https://bücher.example", "*.example.com", "https://u@example.com", "https://*.127.0.0.1", "https://app.example.com:0"} {
		if _, err := newOrigins([]string{s}); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}

// An origin that is let in has, for a parser that shares no code with ours,
// a host and scheme that the rule names.
func FuzzOrigin(f *testing.F) {
	for _, s := range []string{"https://app.example.com", "https://a.example.org", "http://hub.example:80", "null", "https://evil.example/.example.org", "https://[::1]:443", "https://hub.example@evil.example"} {
		f.Add(s, "hub.example")
	}
	v := verifier(f, Config{Secrets: [][]byte{secret}, Origins: []string{"https://app.example.com", "https://*.example.org"}})
	demo := verifier(f, Config{})
	f.Fuzz(func(t *testing.T, origin, host string) {
		r := request("/")
		r.Host = host
		r.Header["Origin"] = []string{origin}
		u, err := url.Parse(origin)
		bare := err == nil && u.User == nil && u.Path == "" && u.RawQuery == "" && u.Fragment == "" && u.Opaque == ""
		if v.CheckOrigin(r) == nil {
			name := ""
			if bare {
				name = strings.ToLower(u.Hostname())
			}
			listed := u != nil && u.Scheme == "https" && (name == "app.example.com" || strings.HasSuffix(name, ".example.org") && len(name) > len(".example.org"))
			own := name != "" && strings.HasPrefix(strings.Trim(strings.ToLower(host), "["), name)
			if !bare || !listed && !own {
				t.Fatalf("%q at %q was let in", origin, host)
			}
		}
		if demo.CheckOrigin(r) == nil {
			name := strings.ToLower(u.Hostname())
			if !bare || name != "localhost" && name != "::1" && !strings.HasSuffix(name, ".localhost") && !strings.HasPrefix(name, "127.") {
				t.Fatalf("%q at %q was let into the demo", origin, host)
			}
		}
	})
}

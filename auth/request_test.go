package auth

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// request is a GET of a hub at http://hub.example with headers "Name: value".
func request(target string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	if r.Host == "example.com" { // httptest's own
		r.Host = "hub.example"
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		} else {
			r.Header.Add(name, value)
		}
	}
	return r
}

func TestRequest(t *testing.T) {
	v := verifier(t, Config{Secrets: [][]byte{secret}, APIKeys: []APIKey{{Key: serverKey}}})
	token := func(sub string) string { return hmacToken(t, map[string]any{"sub": sub}) }
	head, cook, url := token("head"), token("cookie"), token("url")
	dead := hmacToken(t, map[string]any{"exp": time.Now().Unix() - 5})
	ticket, _, err := v.IssueTicket(context.Background(), &Claims{Subject: "ticket", Expires: time.Now().Add(time.Hour), source: mustSource(t, v, head)}, []string{"user:ticket"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		target  string
		headers []string
		sub     string
		kind    error
	}{
		{"nothing", "/", nil, "", ErrMissing},
		{"other query", "/?channel=a", nil, "", ErrMissing},
		{"header", "/", []string{"Authorization: Bearer " + head}, "head", nil},
		{"header in small letters", "/", []string{"Authorization: bearer  " + head}, "head", nil},
		{"cookie", "/", []string{"Cookie: a=b; runnel_token=" + cook}, "cookie", nil},
		{"url", "/?access_token=" + url, nil, "url", nil},
		{"ticket", "/?ticket=" + ticket, nil, "ticket", nil},
		{"another scheme", "/?access_token=" + url, []string{"Authorization: Basic YTpi"}, "url", nil},

		{"order: all", "/?ticket=" + ticket + "&access_token=" + url, []string{"Authorization: Bearer " + head, "Cookie: runnel_token=" + cook}, "head", nil},
		{"order: cookie", "/?ticket=" + ticket + "&access_token=" + url, []string{"Cookie: runnel_token=" + cook}, "cookie", nil},
		{"order: url", "/?ticket=" + ticket + "&access_token=" + url, nil, "url", nil},

		{"bad header, good rest", "/?access_token=" + url, []string{"Authorization: Bearer x", "Cookie: runnel_token=" + cook}, "", ErrInvalid},
		{"empty header, good rest", "/?access_token=" + url, []string{"Authorization: Bearer"}, "", ErrInvalid},
		{"dead header, good rest", "/?access_token=" + url, []string{"Authorization: Bearer " + dead}, "", ErrExpired},
		{"bad cookie, good rest", "/?access_token=" + url, []string{"Cookie: runnel_token=x"}, "", ErrInvalid},
		{"empty cookie, good rest", "/?access_token=" + url, []string{"Cookie: runnel_token="}, "", ErrInvalid},
		{"bad url, good ticket", "/?access_token=x&ticket=" + ticket, nil, "", ErrInvalid},
		{"empty url, good ticket", "/?access_token=&ticket=" + ticket, nil, "", ErrInvalid},
		{"bad ticket", "/?ticket=x", nil, "", ErrInvalid},
		{"empty ticket", "/?ticket=", nil, "", ErrInvalid},

		{"two cookies", "/", []string{"Cookie: runnel_token=" + cook + "; runnel_token=" + head}, "", ErrInvalid},
		{"two headers", "/", []string{"Authorization: Bearer " + head, "Authorization: Bearer " + cook}, "", ErrInvalid},
		{"two urls", "/?access_token=" + url + "&access_token=" + head, nil, "", ErrInvalid},
		{"the same twice", "/", []string{"Cookie: runnel_token=" + cook, "Cookie: runnel_token=" + cook}, "cookie", nil},

		{"key in the header", "/", []string{"Authorization: Bearer " + serverKey}, "", nil},
		{"key in a cookie", "/", []string{"Cookie: runnel_token=" + serverKey}, "", ErrInvalid},
		{"key in the url", "/?access_token=" + serverKey, nil, "", ErrInvalid},

		{"cookie from the own page", "/", []string{"Cookie: runnel_token=" + cook, "Origin: http://hub.example"}, "cookie", nil},
		{"cookie from another page", "/", []string{"Cookie: runnel_token=" + cook, "Origin: http://evil.example"}, "", ErrOrigin},
		{"cookie from nowhere", "/", []string{"Cookie: runnel_token=" + cook, "Origin: null"}, "", ErrOrigin},
		{"cookie from an image there", "/", []string{"Cookie: runnel_token=" + cook, "Sec-Fetch-Site: cross-site"}, "", ErrOrigin},
		{"cookie of a same-origin GET", "/", []string{"Cookie: runnel_token=" + cook, "Sec-Fetch-Site: same-origin"}, "cookie", nil},
		{"url from another page", "/?access_token=" + url, []string{"Origin: http://evil.example"}, "url", nil},
		{"header from another page", "/", []string{"Authorization: Bearer " + head, "Origin: http://evil.example"}, "head", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := v.Request(context.Background(), request(c.target, c.headers...))
			if c.kind != nil {
				wantErr(t, err, c.kind)
			} else if err != nil || got.Subject != c.sub {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// mustSource is what vouches for a token.
func mustSource(t testing.TB, v *Verifier, token string) string {
	t.Helper()
	c, err := v.Verify(context.Background(), token)
	if err != nil {
		t.Fatal(err)
	}
	return c.source
}

func TestDemo(t *testing.T) {
	v := verifier(t, Config{Origins: []string{"https://app.example.com", "*"}})
	if !v.Demo() || verifier(t, Config{APIKeys: []APIKey{{Key: serverKey}}}).Demo() {
		t.Fatal("demo mode is having no key")
	}
	for _, c := range []struct {
		ok      bool
		headers []string
	}{
		{true, []string{"Host: localhost"}},
		{true, []string{"Host: LocalHost:8080"}},
		{true, []string{"Host: app.localhost:8080"}},
		{true, []string{"Host: 127.0.0.1:8080"}},
		{true, []string{"Host: 127.8.9.1"}},
		{true, []string{"Host: [::1]:8080"}},
		{true, []string{"Host: [::1]"}},
		{false, []string{"Host: hub.example"}},
		{false, []string{"Host: localhost.evil.example"}},
		{false, []string{"Host: evil-localhost"}},
		{false, []string{"Host: .localhost"}},
		{false, []string{"Host: evil.example/.localhost"}},
		{false, []string{"Host: x@localhost"}},
		{false, []string{"Host: localhost:"}},
		{false, []string{"Host: localhost:99999"}},
		{false, []string{"Host: 0.0.0.0:8080"}},
		{false, []string{"Host: 127.1"}},
		{false, []string{"Host: 2130706433"}},
		{false, []string{"Host: 128.0.0.1"}},
		{false, []string{"Host: ::1"}},
		{false, []string{"Host: [::1%25lo]"}},
		{false, []string{"Host: [::ffff:127.0.0.1]"}},
		{false, []string{"Host: [127.0.0.1]"}},
		{false, []string{"Host: [::]"}},
		{false, []string{"Host: "}},

		{true, []string{"Host: localhost:8080", "Origin: http://localhost:8080"}},
		{true, []string{"Host: localhost:8080", "Origin: http://127.0.0.1:3000"}},
		{true, []string{"Host: 127.0.0.1:8080", "Origin: https://app.localhost"}},
		{true, []string{"Host: 127.0.0.1:8080", "Origin: http://[::1]:5173"}},
		{true, []string{"Host: 127.0.0.1:8080", "Sec-Fetch-Site: same-site"}},
		{false, []string{"Host: localhost:8080", "Origin: https://app.example.com"}},
		{false, []string{"Host: localhost:8080", "Origin: null"}},
		{false, []string{"Host: localhost:8080", "Origin: "}},
		{false, []string{"Host: localhost:8080", "Origin: http://localhost.evil.example"}},
		{false, []string{"Host: localhost:8080", "Origin: http://localhost@evil.example"}},
		{false, []string{"Host: localhost:8080", "Origin: chrome-extension://localhost"}},
		{false, []string{"Host: localhost:8080", "Origin: http://localhost", "Origin: http://localhost"}},
		{false, []string{"Host: localhost:8080", "Sec-Fetch-Site: cross-site"}},
		// A name of the attacker's that now points at 127.0.0.1: same origin for the browser.
		{false, []string{"Host: rebind.example:8080", "Origin: http://rebind.example:8080", "Sec-Fetch-Site: same-origin"}},
	} {
		r := request("/?access_token=whatever", c.headers...)
		claims, err := v.Request(context.Background(), r)
		originErr := v.CheckOrigin(r)
		if c.ok && (err != nil || originErr != nil || !claims.Demo || !claims.Admin || !claims.MaySubscribe("$node:x") || claims.MayPublish("$node:x")) {
			t.Errorf("%q: %+v, %v, %v", c.headers, claims, err, originErr)
		}
		if !c.ok {
			wantErr(t, err, ErrOrigin)
			wantErr(t, originErr, ErrOrigin)
			if o, allowed := v.AllowedOrigin(r); allowed {
				t.Errorf("%q: CORS for %q", c.headers, o)
			}
		}
	}
	if o, ok := v.AllowedOrigin(request("/", "Host: localhost:8080", "Origin: http://localhost:3000")); !ok || o != "http://localhost:3000" {
		t.Errorf("CORS for the developer's page: %q, %v", o, ok)
	}
}

package auth

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// Rules change as a whole: who meets the old secret meets the old origin too.
func TestReloadIsAtomic(t *testing.T) {
	a := Config{Secrets: [][]byte{secret}, Origins: []string{"https://a.example"}, Logger: quiet}
	b := Config{Secrets: [][]byte{secondary}, Origins: []string{"https://b.example"}, Logger: quiet}
	v := verifier(t, a)
	cookie := "Cookie: runnel_token="
	aRequest := request("/", cookie+hmacToken(t, nil), "Origin: https://a.example")
	bRequest := request("/", cookie+signed(t, jwt.SigningMethodHS256, secondary, "", claims(nil)), "Origin: https://b.example")
	mixed := request("/", cookie+hmacToken(t, nil), "Origin: https://b.example")
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := v.Request(context.Background(), mixed); err == nil {
					t.Error("a mixture of old and new rules")
				}
			}
		})
	}
	for i := range 200 {
		if err := v.Reload(context.Background(), []Config{b, a}[i%2]); err != nil {
			t.Error(err)
		}
	}
	close(done)
	wg.Wait()
	if _, err := v.Request(context.Background(), aRequest); err != nil {
		t.Error(err)
	}
	_, err := v.Request(context.Background(), bRequest)
	wantErr(t, err, ErrOrigin)
}

func TestReloadKeepsTheOldOnError(t *testing.T) {
	v := verifier(t, Config{Secrets: [][]byte{secret}})
	for says, c := range map[string]Config{
		"JWT secret 1":     {Secrets: [][]byte{[]byte("short")}},
		"no key is config": {},
		"has to look like": {Secrets: [][]byte{secondary}, Origins: []string{"x"}},
		"no such file":     {Secrets: [][]byte{secondary}, JWKS: "/nonexistent/jwks.json"},
	} {
		if err := v.Reload(context.Background(), c); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, should say %q", err, says)
		}
		if err := verify(v, hmacToken(t, nil)); err != nil || v.Demo() {
			t.Errorf("after %q: %v", says, err)
		}
	}
}

func TestReloadFromDemo(t *testing.T) {
	v := verifier(t, Config{})
	demo, err := v.Verify(context.Background(), "")
	if err != nil || !v.Holds(demo) {
		t.Fatal(err)
	}
	if err := v.Reload(context.Background(), Config{Secrets: [][]byte{secret}}); err != nil {
		t.Fatal(err)
	}
	if v.Demo() || v.Holds(demo) {
		t.Error("demo rights outlive demo mode")
	}
	_, err = v.Request(context.Background(), request("/", "Host: localhost"))
	wantErr(t, err, ErrMissing)
}

// Who keeps the key keeps the connection; a key that is gone takes its users
// along, and so does another issuer.
func TestHolds(t *testing.T) {
	s := newKeyServer(t, jwks(t, jwk(t, pairs()[2], "k", nil)))
	full := Config{
		Secrets: [][]byte{secret, secondary}, APIKeys: []APIKey{{Key: serverKey}}, JWKS: s.URL,
		PublicKeys: [][]byte{pemOf(t, pairs()[1].key.Public())},
	}
	v := openWith(t, full, lazy)
	all := make(map[string]*Claims)
	for name, token := range map[string]string{
		"secret": hmacToken(t, nil), "secondary": signed(t, jwt.SigningMethodHS256, secondary, "", claims(nil)), "api": serverKey,
		"public": signed(t, pairs()[1].method, pairs()[1].key, "", claims(nil)), "jwks": signed(t, pairs()[2].method, pairs()[2].key, "k", claims(nil)),
	} {
		c, err := v.Verify(context.Background(), token)
		if err != nil {
			t.Fatal(name, err)
		}
		all[name] = c
	}
	issuer := full
	issuer.Issuer = "https://issuer.example"
	for _, c := range []struct {
		config Config
		holds  string
	}{
		{full, "secret secondary api public jwks"},
		{Config{Secrets: [][]byte{secondary}}, "secondary"},
		{Config{APIKeys: []APIKey{{Key: "another-key-0123456789"}, {Key: serverKey}}, Issuer: "x"}, "api"},
		{Config{PublicKeys: full.PublicKeys}, "public"},
		{Config{JWKS: s.URL, Origins: []string{"*"}}, "jwks"},
		{issuer, "api"},
	} {
		if err := v.Reload(context.Background(), c.config); err != nil {
			t.Fatal(err)
		}
		for name, claims := range all {
			if want := strings.Contains(" "+c.holds+" ", " "+name+" "); v.Holds(claims) != want {
				t.Errorf("with %q configured, %s holds: %v", c.holds, name, !want)
			}
		}
	}
}

func TestClose(t *testing.T) {
	p := pairs()[1]
	s := newKeyServer(t, jwks(t, jwk(t, p, "k", nil)))
	v := openWith(t, Config{JWKS: s.URL}, lazy)
	for range 2 {
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := verify(v, signed(t, p.method, p.key, "k", claims(nil))); err != nil {
		t.Error(err)
	}
	wantErr(t, verify(v, signed(t, p.method, p.key, "unknown", claims(nil))), ErrUnavailable)
	if v.Reload(context.Background(), Config{Secrets: [][]byte{secret}}) == nil {
		t.Error("reloaded after Close")
	}
}

// TestAPIKeyTwice: a key that stands there twice is one, and its uses are
// counted once, also after the configuration was read again.
func TestAPIKeyTwice(t *testing.T) {
	c := Config{APIKeys: []APIKey{{Name: "a", Key: serverKey}, {Name: "a", Key: serverKey}}}
	v := verifier(t, c)
	if err := verify(v, serverKey); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if uses := v.KeyUses(); len(uses) != 1 || uses["a"] != 1 {
			t.Error(uses)
		}
		if err := v.Reload(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAPIKeyNamesAreTold: what was taken off the front of a key shows in the
// log, and nothing of the key does.
func TestAPIKeyNamesAreTold(t *testing.T) {
	for want, texts := range map[string][]string{
		`keys=3 names="billing, front"`: {"billing:" + serverKey, "front:another-key-0123456789", ":third-key-0123456789"},
		"":                              {serverKey},
	} {
		var log bytes.Buffer
		c := Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}
		for _, text := range texts {
			k, err := ParseAPIKey(text)
			if err != nil {
				t.Fatal(err)
			}
			c.APIKeys = append(c.APIKeys, k)
		}
		verifier(t, c)
		if got := log.String(); !strings.Contains(got, want) || (want == "") != (got == "") || strings.Contains(got, "0123456789") {
			t.Errorf("logged %s, want %s", got, want)
		}
	}
}

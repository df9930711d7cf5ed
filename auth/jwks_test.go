package auth

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// jwk writes a public key as RFC 7517 says, with none of the code under test.
func jwk(t testing.TB, p pair, kid string, more map[string]any) map[string]any {
	t.Helper()
	m := map[string]any{"kid": kid}
	switch k := p.key.Public().(type) {
	case *rsa.PublicKey:
		m["kty"], m["n"], m["e"] = "RSA", b64(string(k.N.Bytes())), b64(string(big.NewInt(int64(k.E)).Bytes()))
	case *ecdsa.PublicKey:
		point, err := k.Bytes() // 4, x, y
		if err != nil {
			t.Fatal(err)
		}
		size := (len(point) - 1) / 2
		m["kty"], m["crv"], m["x"], m["y"] = "EC", k.Params().Name, b64(string(point[1:1+size])), b64(string(point[1+size:]))
	case ed25519.PublicKey:
		m["kty"], m["crv"], m["x"] = "OKP", "Ed25519", b64(string(k))
	}
	for name, value := range more {
		m[name] = value
	}
	return m
}

func jwks(t testing.TB, keys ...map[string]any) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// keyServer is a server of a key set that can be changed and fail.
type keyServer struct {
	*httptest.Server
	hits atomic.Int64
	mu   sync.Mutex
	code int
	body []byte
}

func newKeyServer(t testing.TB, body []byte) *keyServer {
	s := &keyServer{code: http.StatusOK, body: body}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.hits.Add(1)
		s.mu.Lock()
		defer s.mu.Unlock()
		w.WriteHeader(s.code)
		w.Write(s.body)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) answer(code int, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.code, s.body = code, body
}

// lazy reads again only when asked to, and then every time.
var lazy = pace{every: time.Hour, retry: time.Hour, pause: 0}

func openWith(t testing.TB, c Config, p pace) *Verifier {
	t.Helper()
	c.Logger = quiet
	v, err := open(context.Background(), c, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func verify(v *Verifier, token string) error {
	_, err := v.Verify(context.Background(), token)
	return err
}

func TestJWKSKinds(t *testing.T) {
	ps := pairs()
	s := newKeyServer(t, jwks(t,
		jwk(t, ps[0], "r", map[string]any{"alg": "RS256", "use": "sig"}),
		jwk(t, ps[1], "e", nil),
		jwk(t, ps[2], "d", map[string]any{"key_ops": []string{"verify"}})))
	v := openWith(t, Config{JWKS: s.URL}, lazy)
	for i, kid := range []string{"r", "e", "d"} {
		for _, name := range []string{kid, ""} {
			if err := verify(v, signed(t, ps[i].method, ps[i].key, name, claims(nil))); err != nil {
				t.Errorf("%s with kid %q: %v", ps[i].method.Alg(), name, err)
			}
		}
		wantErr(t, verify(v, signed(t, ps[i].method, newPair(ps[i].method).key, kid, claims(nil))), ErrInvalid)
		wantErr(t, verify(v, signed(t, ps[i].method, ps[i].key, []string{"e", "d", "r"}[i], claims(nil))), ErrInvalid)
	}
	wantErr(t, verify(v, hmacToken(t, nil)), ErrInvalid)
}

// Keys that are in a set for something else, or are no public keys at all.
func TestJWKSPassesOver(t *testing.T) {
	ps := pairs()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	never := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("x5u was fetched") }))
	t.Cleanup(never.Close)
	s := newKeyServer(t, jwks(t,
		map[string]any{"kty": "oct", "kid": "oct", "k": b64(string(secret))},
		map[string]any{"kty": "new", "kid": "new"},
		map[string]any{"kty": "RSA", "kid": "broken"},
		jwk(t, ps[0], "enc", map[string]any{"use": "enc"}),
		jwk(t, ps[0], "ops", map[string]any{"key_ops": []string{"encrypt"}}),
		jwk(t, ps[0], "ps256", map[string]any{"alg": "PS256"}),
		jwk(t, pair{key: weak}, "weak", nil),
		jwk(t, pair{key: p384}, "p384", nil),
		jwk(t, ps[2], "good", map[string]any{"x5u": never.URL, "x5c": []string{"%"}})))
	v := openWith(t, Config{JWKS: s.URL}, lazy)
	if err := verify(v, signed(t, ps[2].method, ps[2].key, "good", claims(nil))); err != nil {
		t.Error(err)
	}
	for _, kid := range []string{"oct", "enc", "ops", "ps256", "weak", "p384", "broken", "new", ""} {
		wantErr(t, verify(v, signed(t, ps[0].method, ps[0].key, kid, claims(nil))), ErrInvalid)
		wantErr(t, verify(v, signed(t, jwt.SigningMethodHS256, secret, kid, claims(nil))), ErrInvalid)
	}
}

// The header's own key, or address of one, is not looked at.
func TestJWKSFromConfigurationOnly(t *testing.T) {
	p := pairs()[1]
	evil := newPair(jwt.SigningMethodES256)
	other := newKeyServer(t, jwks(t, jwk(t, evil, "k", nil)))
	s := newKeyServer(t, jwks(t, jwk(t, p, "k", nil)))
	v := openWith(t, Config{JWKS: s.URL}, lazy)
	token := jwt.NewWithClaims(evil.method, claims(map[string]any{"iss": other.URL}))
	token.Header["kid"], token.Header["jku"], token.Header["x5u"], token.Header["jwk"] = "k", other.URL, other.URL, jwk(t, evil, "k", nil)
	text, err := token.SignedString(evil.key)
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, verify(v, text), ErrInvalid)
	if other.hits.Load() != 0 {
		t.Error("the token's address was asked")
	}
}

func TestJWKSIssuer(t *testing.T) {
	p := pairs()[2]
	s := newKeyServer(t, jwks(t, jwk(t, p, "k", nil)))
	v := openWith(t, Config{JWKS: s.URL, Issuer: "https://issuer.example"}, lazy)
	if err := verify(v, signed(t, p.method, p.key, "k", claims(map[string]any{"iss": "https://issuer.example"}))); err != nil {
		t.Error(err)
	}
	wantErr(t, verify(v, signed(t, p.method, p.key, "k", claims(map[string]any{"iss": "https://other.example"}))), ErrInvalid)
	wantErr(t, verify(v, signed(t, p.method, p.key, "k", claims(nil))), ErrInvalid)
}

func TestJWKSRotationAndOutage(t *testing.T) {
	old, fresh := newPair(jwt.SigningMethodES256), newPair(jwt.SigningMethodES256)
	oldToken := signed(t, old.method, old.key, "old", claims(nil))
	freshToken := signed(t, fresh.method, fresh.key, "fresh", claims(nil))
	s := newKeyServer(t, jwks(t, jwk(t, old, "old", nil)))
	v := openWith(t, Config{JWKS: s.URL}, lazy)
	wantErr(t, verify(v, freshToken), ErrInvalid)

	// An outage, then nonsense: known keys go on, of others nothing can be said.
	huge := string(jwks(t, jwk(t, fresh, "fresh", nil))) + strings.Repeat(" ", maxKeySet)
	for _, body := range []string{"", "<html>", `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"AAAA"}]}`, huge} {
		s.answer(http.StatusOK, []byte(body))
		if body == "" {
			s.answer(http.StatusBadGateway, nil)
		}
		wantErr(t, verify(v, freshToken), ErrUnavailable)
		if err := verify(v, oldToken); err != nil {
			t.Fatalf("with the answer %.20q: %v", body, err)
		}
	}

	// The new key is found at once, and the old one is gone.
	s.answer(http.StatusOK, jwks(t, jwk(t, fresh, "fresh", nil)))
	if err := verify(v, freshToken); err != nil {
		t.Fatal(err)
	}
	wantErr(t, verify(v, oldToken), ErrInvalid)
}

func TestJWKSAwayAtStart(t *testing.T) {
	p := pairs()[1]
	s := newKeyServer(t, nil)
	s.answer(http.StatusServiceUnavailable, nil)
	v := openWith(t, Config{JWKS: s.URL}, pace{every: time.Hour, retry: 5 * time.Millisecond, pause: time.Hour})
	token, unnamed := signed(t, p.method, p.key, "k", claims(nil)), signed(t, p.method, p.key, "", claims(nil))
	wantErr(t, verify(v, token), ErrUnavailable)
	wantErr(t, verify(v, unnamed), ErrUnavailable)
	s.answer(http.StatusOK, jwks(t, jwk(t, p, "k", nil)))
	eventually(t, "the set is read in the background", func() bool { return verify(v, token) == nil && verify(v, unnamed) == nil })
	hits := s.hits.Load()
	wantErr(t, verify(v, signed(t, p.method, p.key, "unknown", claims(nil))), ErrInvalid)
	if s.hits.Load() != hits {
		t.Error("read again within the pause")
	}
}

// A withdrawn key ends without anybody asking.
func TestJWKSBackgroundRefresh(t *testing.T) {
	p := pairs()[1]
	s := newKeyServer(t, jwks(t, jwk(t, p, "k", nil)))
	v := openWith(t, Config{JWKS: s.URL}, pace{every: 5 * time.Millisecond, retry: time.Hour, pause: time.Hour})
	token := signed(t, p.method, p.key, "k", claims(nil))
	if err := verify(v, token); err != nil {
		t.Fatal(err)
	}
	s.answer(http.StatusOK, jwks(t, jwk(t, newPair(p.method), "other", nil)))
	eventually(t, "the key is withdrawn", func() bool { return errors.Is(verify(v, token), ErrInvalid) })
}

// Made-up key IDs: all who ask during a reading share it, and then there is a
// pause.
func TestJWKSUnknownKeysAreLimited(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, jwks(t, jwk(t, pairs()[1], "k", nil)), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		set, err := openKeySet(context.Background(), file, usualPace, quiet)
		if err != nil {
			t.Fatal(err)
		}
		defer set.close()
		var reads, answers atomic.Int64
		goOn, load := make(chan struct{}), set.load
		set.load = func(ctx context.Context) ([]byte, error) {
			reads.Add(1)
			<-goOn
			return load(ctx)
		}
		for round := range int64(3) {
			time.Sleep(usualPace.pause)
			for i := range 20 {
				go func() { set.KeyRead(context.Background(), fmt.Sprint("made up ", i)); answers.Add(1) }()
				synctest.Wait()
			}
			if answers.Load() != 40*round {
				t.Error("somebody did not wait for the reading")
			}
			goOn <- struct{}{}
			synctest.Wait()
			for i := range 20 {
				set.KeyRead(context.Background(), fmt.Sprint("made up too ", i))
				answers.Add(1)
			}
			if reads.Load() != round+1 || answers.Load() != 40*(round+1) {
				t.Errorf("%d readings for %d answers in round %d", reads.Load(), answers.Load(), round)
			}
		}
	})
}

// Tokens with a secret's signature are none of the key set's business.
func TestJWKSIsNotAskedForHMAC(t *testing.T) {
	s := newKeyServer(t, jwks(t, jwk(t, pairs()[1], "k", nil)))
	v := openWith(t, Config{JWKS: s.URL, Secrets: [][]byte{secret}}, lazy)
	if err := verify(v, signed(t, jwt.SigningMethodHS256, secret, "unknown", claims(nil))); err != nil {
		t.Error(err)
	}
	wantErr(t, verify(v, signed(t, jwt.SigningMethodHS256, secondary, "unknown", claims(nil))), ErrInvalid)
	if n := s.hits.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// Who waits for a slow key server is let go by its context and by Close.
func TestJWKSSlowServer(t *testing.T) {
	p := pairs()[1]
	body := jwks(t, jwk(t, p, "k", nil))
	slow := make(chan struct{})
	var first atomic.Bool
	asked := make(chan struct{}, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if first.Swap(true) {
			asked <- struct{}{}
			select {
			case <-slow:
			case <-r.Context().Done():
			}
		}
		w.Write(body)
	}))
	defer s.Close()
	defer close(slow)
	v := openWith(t, Config{JWKS: s.URL}, lazy)
	token := signed(t, p.method, p.key, "unknown", claims(nil))

	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 2)
	go func() { _, err := v.Verify(ctx, token); result <- err }()
	<-asked
	if err := verify(v, signed(t, p.method, p.key, "k", claims(nil))); err != nil {
		t.Error("a known key waits for the server:", err)
	}
	cancel()
	wantErr(t, <-result, ErrUnavailable)

	go func() { result <- verify(v, token) }()
	v.Close()
	wantErr(t, <-result, ErrUnavailable)
}

func TestJWKSRedirect(t *testing.T) {
	p := pairs()[1]
	plain := newKeyServer(t, jwks(t, jwk(t, p, "k", nil)))
	hop := httptest.NewServer(http.RedirectHandler(plain.URL, http.StatusFound))
	t.Cleanup(hop.Close)
	v := openWith(t, Config{JWKS: hop.URL}, lazy)
	if err := verify(v, signed(t, p.method, p.key, "k", claims(nil))); err != nil {
		t.Error(err)
	}
	secure, err := http.NewRequest(http.MethodGet, "https://keys.example/jwks", nil)
	if err != nil {
		t.Fatal(err)
	}
	to, err := http.NewRequest(http.MethodGet, plain.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if safeRedirect(to, []*http.Request{secure}) == nil || safeRedirect(secure, []*http.Request{secure}) != nil {
		t.Error("a redirect may leave TLS, or may not stay in it")
	}
	if safeRedirect(secure, []*http.Request{secure, secure, secure, secure, secure}) == nil {
		t.Error("redirects have no end")
	}
}

func TestJWKSFile(t *testing.T) {
	a, b := newPair(jwt.SigningMethodEdDSA), newPair(jwt.SigningMethodEdDSA)
	file := filepath.Join(t.TempDir(), "jwks.json")
	write := func(body []byte) {
		t.Helper()
		if err := os.WriteFile(file, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write([]byte(`{"keys":[]}`))
	if _, err := New(context.Background(), Config{JWKS: file, Logger: quiet}); err == nil || !strings.Contains(err.Error(), "no key") {
		t.Fatalf("a set without keys: %v", err)
	}
	write(jwks(t, jwk(t, a, "a", nil)))
	c := Config{JWKS: file}
	v := openWith(t, c, pace{every: time.Hour, retry: time.Hour, pause: time.Hour})
	aToken, bToken := signed(t, a.method, a.key, "a", claims(nil)), signed(t, b.method, b.key, "b", claims(nil))
	if err := verify(v, aToken); err != nil {
		t.Fatal(err)
	}
	// A reload reads it again; when it is broken the old keys stay.
	write([]byte(`{`))
	if v.Reload(context.Background(), c) == nil || verify(v, aToken) != nil {
		t.Error("a broken file was taken, or took the keys away")
	}
	write(jwks(t, jwk(t, b, "b", nil)))
	if err := v.Reload(context.Background(), c); err != nil || verify(v, bToken) != nil {
		t.Error("the new file does not count:", err)
	}
	wantErr(t, verify(v, aToken), ErrInvalid)
}

func TestJWKSTooManyKeys(t *testing.T) {
	var keys []map[string]any
	for i := range maxKeys + 1 {
		keys = append(keys, jwk(t, pairs()[2], fmt.Sprint(i), nil))
	}
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, jwks(t, keys...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(context.Background(), Config{JWKS: file, Logger: quiet}); err == nil || !strings.Contains(err.Error(), "101 keys") {
		t.Error(err)
	}
}

// The operator hears of it, and of sets that sign for everybody.
func TestJWKSLog(t *testing.T) {
	s := newKeyServer(t, nil)
	s.answer(http.StatusTeapot, nil)
	var log bytes.Buffer
	v := verifier(t, Config{JWKS: s.URL, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	v.Close()
	if !strings.Contains(log.String(), "418") || !strings.Contains(log.String(), "issuer or audience") {
		t.Errorf("log: %s", log.String())
	}
}

// TestJWKSAddressStaysOutOfErrors: the query, a key to the server for some,
// stood in the log.
func TestJWKSAddressStaysOutOfErrors(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/none?hidden-token", http.StatusFound)
			return
		}
		http.NotFound(w, r)
	}))
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	defer server.Close()
	for _, base := range []string{server.URL, server.URL + "/away", down.URL} {
		where := strings.Replace(base, "://", "://hidden-user:hidden-word@", 1) + "?key=hidden-key"
		load, _, err := loader(where)
		if err != nil {
			t.Fatal(err)
		}
		_, err = load(context.Background())
		if err == nil || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%v", err)
		}
	}
}

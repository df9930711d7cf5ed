package auth

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"runnel/worktest"
)

// TestWorkOnClaims is on what a token says, as if there was no bound to its size.
func TestWorkOnClaims(t *testing.T) {
	for name, c := range map[string]struct{ before, piece, after string }{
		"subject":  {`{"sub":"`, `\\`, `"}`},
		"device":   {`{"runnel":{"device":"`, `\"`, `"}}`},
		"patterns": {`{"runnel":{"subscribe":[`, `"a*",`, `"**"]}}`},
		"audience": {`{"aud":[`, `"\\",`, `""]}`},
		"expires":  {`{"exp":1`, `0`, `}`},
		"nested":   {`{"x":[`, `{"[":[]},`, `1]}`},
		"strings":  {`{"x":[`, `"\\\"",`, `""]}`},
	} {
		t.Run(name, func(t *testing.T) {
			input := func(n int) []byte { return []byte(c.before + strings.Repeat(c.piece, n/len(c.piece)) + c.after) }
			worktest.Linear(t, input, func(b []byte) { _ = new(payload).UnmarshalJSON(b) })
		})
	}
}

// TestWorkOnCredentials is on tokens and tickets before they are known to be good.
func TestWorkOnCredentials(t *testing.T) {
	v := verifier(t, Config{Secrets: [][]byte{secret}})
	for name, put := range map[string]func(r *http.Request, value string){
		"bearer":  func(r *http.Request, v string) { r.Header.Set("Authorization", "Bearer "+v) },
		"cookie":  func(r *http.Request, v string) { r.Header.Set("Cookie", "runnel_token="+v) },
		"cookies": func(r *http.Request, v string) { r.Header.Set("Cookie", strings.ReplaceAll(v, ".", "=;")) },
		"URL":     func(r *http.Request, v string) { r.URL.RawQuery = "access_token=" + v },
		"ticket":  func(r *http.Request, v string) { r.URL.RawQuery = "ticket=" + v },
	} {
		for _, piece := range []string{".", "a", base64.RawURLEncoding.EncodeToString([]byte(`{"a":"`))} {
			t.Run(name+" "+piece, func(t *testing.T) {
				input := func(n int) string { return strings.Repeat(piece, n/len(piece)) }
				worktest.Linear(t, input, func(s string) {
					r := httptest.NewRequest("GET", "/", nil)
					put(r, s)
					v.Request(context.Background(), r)
				})
			})
		}
	}
}

// TestWorkOnOrigins is on who a browser says it is.
func TestWorkOnOrigins(t *testing.T) {
	v := verifier(t, Config{Secrets: [][]byte{secret}, Origins: []string{"https://*.example.com", "https://a.example.com"}})
	demo := verifier(t, Config{})
	for name, piece := range map[string]string{"colons": ":", "slashes": "://", "dots": "a.", "brackets": "]", "digits": "1"} {
		t.Run(name, func(t *testing.T) {
			input := func(n int) string { return strings.Repeat(piece, n/len(piece)) }
			worktest.Linear(t, input, func(s string) {
				for _, origin := range []string{s, "https://" + s, "https://[" + s + "]"} {
					r := httptest.NewRequest("GET", "/", nil)
					r.Host = origin
					r.Header.Set("Origin", origin)
					v.CheckOrigin(r)
					v.AllowedOrigin(r)
					demo.CheckOrigin(r)
				}
			})
		})
	}
}

// TestWorkOnPatterns: a pattern with "*" is compared with each byte of a name,
// which may not be longer than a channel's can be.
func TestWorkOnPatterns(t *testing.T) {
	for _, text := range []string{"**", "a**", "*a" + strings.Repeat("a", 200) + "b", strings.Repeat("*a", 120) + "b**", strings.Repeat("*:", 120) + "**"} {
		p, err := ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, piece := range []string{"a", "a:", "*"} {
			input := func(n int) string { return strings.Repeat(piece, n/len(piece)) }
			worktest.Linear(t, input, func(s string) {
				_ = p.Match(s)
				ParsePattern(s)
			})
		}
	}
	input := func(n int) string { return strings.Repeat(":é", n/3) }
	worktest.Linear(t, input, func(s string) { UserChannel(s) })
}

// TestWorkOnKeys is on keys of a set, which another server sends.
func TestWorkOnKeys(t *testing.T) {
	s := &keySet{logger: quiet}
	for name, piece := range map[string]string{"keys": `{"kty":"oct"},`, "strings": `"` + strings.Repeat(`\\`, 99) + `",`, "lists": strings.Repeat("[", 99) + strings.Repeat("]", 99) + ","} {
		t.Run(name, func(t *testing.T) {
			input := func(n int) []byte { return []byte(`{"keys":[` + strings.Repeat(piece, n/len(piece)) + `{}]}`) }
			worktest.Linear(t, input, func(b []byte) { s.parse(b) })
		})
	}
}

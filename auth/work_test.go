package auth

import (
	"context"
	"fmt"
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

// TestWorkOnCredentials is on how tokens and tickets are found in a request.
func TestWorkOnCredentials(t *testing.T) {
	for name, c := range map[string]struct {
		before, piece string
		put           func(r *http.Request, value string)
	}{
		"bearer":  {"Bearer ", " ", func(r *http.Request, v string) { r.Header.Set("Authorization", v) }},
		"cookie":  {"runnel_token=", "a", func(r *http.Request, v string) { r.Header.Set("Cookie", v) }},
		"cookies": {"", "runnel_token=;", func(r *http.Request, v string) { r.Header.Set("Cookie", v) }},
		"URL":     {"access_token=", "%41", func(r *http.Request, v string) { r.URL.RawQuery = v }},
		"ticket":  {"ticket=", "+", func(r *http.Request, v string) { r.URL.RawQuery = v }},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			input := func(n int) string { return c.before + strings.Repeat(c.piece, n/len(c.piece)) }
			worktest.Linear(t, input, func(s string) {
				c.put(r, s)
				credentialOf(r)
			})
		})
	}
}

// TestWorkOnTokens is on tokens before their signature is known to be good, as
// if there was no bound to their size.
func TestWorkOnTokens(t *testing.T) {
	r := verifier(t, Config{Secrets: [][]byte{secret}}).rules.Load()
	for name, c := range map[string]struct{ before, piece, after string }{
		"no dots": {"", "a", ""},
		"header":  {b64(`{"alg":"HS256", "x":"`), b64(`\\\\\\`), b64(`"}`) + ".."},
		"body":    {b64(`{"alg":"HS256"}`) + "." + b64(`{"x":"`), b64(`\\\\\\`), b64(`"}`) + "."},
		"sum":     {b64(`{"alg":"HS256"}`) + "." + b64(`{}`) + ".", "aaaa", ""},
	} {
		t.Run(name, func(t *testing.T) {
			input := func(n int) string { return c.before + strings.Repeat(c.piece, n/len(c.piece)) + c.after }
			worktest.Linear(t, input, func(s string) { r.parser.ParseUnverified(s, new(payload)) })
		})
	}
}

// TestWorkOnLongNames: nobody goes through what is longer than it may be.
func TestWorkOnLongNames(t *testing.T) {
	v := verifier(t, Config{Secrets: [][]byte{secret}, APIKeys: []APIKey{{Key: serverKey}}})
	r := v.rules.Load()
	all, err := ParsePatterns("**")
	if err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func(string){
		"token":   func(s string) { r.verify(context.Background(), s) },
		"bearer":  func(s string) { v.Verify(context.Background(), s) },
		"ticket":  func(s string) { v.redeem(context.Background(), r, s) },
		"pattern": func(s string) { ParsePattern(s) },
		"channel": func(s string) { all.Match(s) },
		"user":    func(s string) { UserChannel(s) },
	} {
		t.Run(name, func(t *testing.T) {
			worktest.Refused(t, func(n int) string { return strings.Repeat("a", n) }, read)
		})
	}
}

// TestWorkOnOrigins is on who a browser says it is.
func TestWorkOnOrigins(t *testing.T) {
	v := verifier(t, Config{Secrets: [][]byte{secret}, Origins: []string{"https://*.example.com", "https://a.example.com"}})
	demo := verifier(t, Config{})
	for name, piece := range map[string]string{"colons": ":", "slashes": "://", "dots": "a.", "brackets": "]", "digits": "1"} {
		for _, around := range []string{"%s", "https://%s", "https://[%s]"} {
			t.Run(name+" in "+around, func(t *testing.T) {
				r := httptest.NewRequest("GET", "/", nil)
				input := func(n int) string { return fmt.Sprintf(around, strings.Repeat(piece, n/len(piece))) }
				worktest.Linear(t, input, func(origin string) {
					r.Host = origin
					r.Header.Set("Origin", origin)
					v.CheckOrigin(r)
					v.AllowedOrigin(r)
					demo.CheckOrigin(r)
				})
			})
		}
	}
}

// TestWorkOnPatterns: however often the latest "*" grows, a name is gone
// through a few times at most, as if there was no bound to its size.
func TestWorkOnPatterns(t *testing.T) {
	for name, c := range map[string]struct{ pattern, piece string }{
		"one star":      {"*b", "a"},
		"nearly":        {"*a" + strings.Repeat("a", 200) + "b", "a"},
		"many stars":    {strings.Repeat("*a", 120) + "b**", "a"},
		"no such colon": {strings.Repeat("*:", 120) + "**", "a"},
		"any":           {"*", "*"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := ParsePattern(c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			worktest.Linear(t, func(n int) string { return strings.Repeat(c.piece, n) }, func(s string) { _ = p.glob(s) })
		})
	}
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

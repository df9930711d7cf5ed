package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func pemOf(t testing.TB, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// pair is a key of each kind.
type pair struct {
	method jwt.SigningMethod
	key    crypto.Signer
}

func newPair(method jwt.SigningMethod) pair {
	var key crypto.Signer
	var err error
	switch method {
	case jwt.SigningMethodRS256:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case jwt.SigningMethodES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		panic(err)
	}
	return pair{method, key}
}

var pairs = sync.OnceValue(func() []pair {
	return []pair{newPair(jwt.SigningMethodRS256), newPair(jwt.SigningMethodES256), newPair(jwt.SigningMethodEdDSA)}
})

func TestTokenRights(t *testing.T) {
	v := verifier(t, Config{Secrets: [][]byte{secret}})
	exp := time.Now().Add(time.Hour).Truncate(time.Second)
	c, err := v.Verify(context.Background(), hmacToken(t, map[string]any{
		"exp": exp.Unix(), "iat": "ignored", "other": []int{1},
		"runnel": map[string]any{
			"subscribe": []string{"chat:*", "$node:*"}, "publish": []string{"chat:1"}, "presence": []string{"chat:2"},
			"device": "phone", "admin": true, "later": map[string]any{},
		},
	}))
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject != "ann" || !c.Expires.Equal(exp) || c.Device != "phone" || !c.Admin || c.APIKey || c.Demo {
		t.Errorf("%+v", c)
	}
	if !c.MaySubscribe("chat:9") || !c.MaySubscribe("$node:x") || !c.MaySubscribe("user:ann") || c.MaySubscribe("user:bob") ||
		!c.MayPublish("chat:1") || c.MayPublish("chat:2") || !c.MaySeePresence("chat:2") || c.MaySeePresence("chat:1") {
		t.Errorf("rights of %+v", c)
	}
}

func TestTokenRules(t *testing.T) {
	v := verifier(t, Config{Secrets: [][]byte{secret}, Issuer: "https://issuer.example", Audience: "runnel"})
	now := time.Now().Unix()
	rights := func(r any) map[string]any { return map[string]any{"runnel": r} }
	for _, c := range []struct {
		name    string
		changes map[string]any
		kind    error
		says    string
	}{
		{"good", nil, nil, ""},
		{"aud in a list", map[string]any{"aud": []string{"other", "runnel"}}, nil, ""},
		{"no rights", rights(map[string]any{}), nil, ""},
		{"null rights", rights(nil), nil, ""},
		{"null lists", rights(map[string]any{"subscribe": nil, "device": nil, "admin": nil}), nil, ""},
		{"nbf within leeway", map[string]any{"nbf": now + 25}, nil, ""},
		{"longest sub", map[string]any{"sub": strings.Repeat("s", 256)}, nil, ""},
		{"Unicode sub", map[string]any{"sub": "žofie 🙂"}, nil, ""},
		{"claims in another case", map[string]any{"SUB": "bob", "EXP": 1, "Runnel": 1}, nil, ""},

		{"expired", map[string]any{"exp": now - 1}, ErrExpired, "expired at"},
		{"no leeway for exp", map[string]any{"exp": now}, ErrExpired, "expired at"},
		{"no exp", map[string]any{"exp": nil}, ErrInvalid, `"exp"`},
		{"exp text", map[string]any{"exp": "4102444800"}, ErrInvalid, `"exp" must be a number`},
		{"exp zero", map[string]any{"exp": 0}, ErrInvalid, `"exp"`},
		{"exp beyond time", map[string]any{"exp": 1e300}, ErrInvalid, `"exp"`},
		{"nbf", map[string]any{"nbf": now + 40}, ErrInvalid, "not valid before"},
		{"nbf text", map[string]any{"nbf": "x"}, ErrInvalid, `"nbf"`},
		{"no sub", map[string]any{"sub": nil}, ErrInvalid, `"sub"`},
		{"empty sub", map[string]any{"sub": ""}, ErrInvalid, `"sub"`},
		{"number as sub", map[string]any{"sub": 7}, ErrInvalid, `"sub" must be a string`},
		{"long sub", map[string]any{"sub": strings.Repeat("s", 257)}, ErrInvalid, `"sub" is longer`},
		{"sub with a line", map[string]any{"sub": "ann\nbob"}, ErrInvalid, `"sub"`},
		{"sub of broken text", map[string]any{"sub": "\xff"}, ErrInvalid, `"sub"`},
		{"wrong iss", map[string]any{"iss": "https://issuer.example/"}, ErrInvalid, `"iss"`},
		{"no iss", map[string]any{"iss": nil}, ErrInvalid, `"iss"`},
		{"iss list", map[string]any{"iss": []string{"https://issuer.example"}}, ErrInvalid, `"iss"`},
		{"wrong aud", map[string]any{"aud": "other"}, ErrInvalid, `"aud"`},
		{"no aud", map[string]any{"aud": nil}, ErrInvalid, `"aud"`},
		{"aud object", map[string]any{"aud": map[string]any{"runnel": 1}}, ErrInvalid, `"aud"`},
		{"rights text", rights("admin"), ErrInvalid, `"runnel" must be an object`},
		{"rights list", rights([]string{"chat:*"}), ErrInvalid, `"runnel" must be an object`},
		{"misspelt right", rights(map[string]any{"Subscibe": []string{"chat:*"}}), ErrInvalid, `it knows no "Subscibe"; subscribe is meant`},
		{"right of somebody else", rights(map[string]any{"theme": "dark"}), nil, ""},
		{"pattern for list", rights(map[string]any{"subscribe": "chat:*"}), ErrInvalid, `its "subscribe" must be a list`},
		{"number in list", rights(map[string]any{"publish": []any{1}}), ErrInvalid, `its "publish" must be a list`},
		{"null in list", rights(map[string]any{"publish": []any{nil}}), ErrInvalid, `its "publish" cannot be read`},
		{"bad pattern", rights(map[string]any{"presence": []any{"a b"}}), ErrInvalid, `its "presence" cannot be read: the channel pattern "a b"`},
		{"long pattern", rights(map[string]any{"subscribe": []any{strings.Repeat("a", 257)}}), ErrInvalid, "256"},
		{"many patterns", rights(map[string]any{"subscribe": strings.Split(strings.Repeat("a,", 100)+"a", ",")}), ErrInvalid, "more than 100"},
		{"admin text", rights(map[string]any{"admin": "true"}), ErrInvalid, `its "admin" must be true or false`},
		{"admin number", rights(map[string]any{"admin": 1}), ErrInvalid, `its "admin"`},
		{"device number", rights(map[string]any{"device": 1}), ErrInvalid, `its "device"`},
		{"long device", rights(map[string]any{"device": strings.Repeat("d", 129)}), ErrInvalid, `its "device"`},
		{"device with a line", rights(map[string]any{"device": "a\nb"}), ErrInvalid, `its "device"`},
		{"too long", map[string]any{"pad": strings.Repeat("x", maxToken)}, ErrInvalid, "longer than 8192 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			changes := map[string]any{"iss": "https://issuer.example", "aud": "runnel"}
			for k, x := range c.changes {
				changes[k] = x
			}
			token := hmacToken(t, changes)
			got, err := v.Verify(context.Background(), token)
			if c.kind == nil {
				if err != nil || got.Subject == "bob" {
					t.Fatalf("%v, %v", got, err)
				}
				return
			}
			wantErr(t, err, c.kind)
			if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), token[:20]) {
				t.Errorf("it says %q, should say %q", err, c.says)
			}
		})
	}
}

// What no encoder writes, with a good signature.
func TestTokenAmbiguous(t *testing.T) {
	v := verifier(t, Config{Secrets: [][]byte{secret}})
	const header = `{"alg":"HS256"}`
	const exp = `"exp":4102444800`
	if _, err := v.Verify(context.Background(), rawToken(t, header, `{"sub":"ann",`+exp+`}`)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ header, body, says string }{
		{header, `{"sub":"ann","sub":"bob",` + exp + `}`, `name "sub" twice`},
		{header, `{"sub":"ann","s\u0075b":"bob",` + exp + `}`, `name "sub" twice`},
		{header, `{"sub":"ann",` + exp + `,"runnel":{},"runnel":{"admin":true}}`, `name "runnel" twice`},
		{header, `{"sub":"ann",` + exp + `,"runnel":{"admin":false,"admin":true}}`, `"runnel" name "admin" twice`},
		{header, "{\"sub\":\"\xff\"," + exp + `}`, "not UTF-8"},
		{header, `{"sub":"\ud800",` + exp + `}`, `"sub"`},
		{header, `{"sub":"a\u0000",` + exp + `}`, `"sub"`},
		{header, `{"sub":"a\u009f",` + exp + `}`, `"sub"`},
		{header, `{"sub":"ann","exp":4102444800e0x}`, "nor a JSON Web Token"},
		{header, `{"sub":"ann","exp":NaN}`, "nor a JSON Web Token"},
		{header, `null`, `"exp"`},
		{header, `[]`, "must be an object"},
		{header, `"x"`, "must be an object"},
		{`{"alg":"HS256","crit":["exp"]}`, `{"sub":"ann",` + exp + `}`, "extension"},
		{`{"alg":"HS384"}`, `{"sub":"ann",` + exp + `}`, "algorithm"},
		{`{"alg":"RS256"}`, `{"sub":"ann",` + exp + `}`, "algorithm"},
		{`{"alg":"none"}`, `{"sub":"ann",` + exp + `}`, "algorithm"},
		{`{"alg":"hs256"}`, `{"sub":"ann",` + exp + `}`, "algorithm"},
		{`{"alg":["HS256"]}`, `{"sub":"ann",` + exp + `}`, "algorithm"},
		{`{}`, `{"sub":"ann",` + exp + `}`, "algorithm"},
	} {
		_, err := v.Verify(context.Background(), rawToken(t, c.header, c.body))
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %s: %v, should say %q", c.header, c.body, err, c.says)
		}
	}
}

func TestTokenMalformed(t *testing.T) {
	v := verifier(t, Config{Secrets: [][]byte{secret}})
	good := hmacToken(t, nil)
	head, body, _ := strings.Cut(good, ".")
	body, sig, _ := strings.Cut(body, ".")
	none := b64(`{"alg":"none"}`) + "." + body + "."
	for _, token := range []string{
		"", ".", "..", "...", "x", head, head + "." + body, head + "." + body + ".", good + ".", "." + good, good + "=",
		good[:len(good)-1] + otherSpelling(good[len(good)-1]), head + "." + body + "." + sig[:len(sig)-2], none, none + sig, " " + good, good + " ", strings.ToLower(good),
		strings.Repeat(".", 8000), strings.Repeat("a", 10000),
	} {
		_, err := v.Verify(context.Background(), token)
		wantErr(t, err, ErrInvalid)
	}
}

// otherSpelling is a last character that stands for the same 32 bytes: its
// two lowest bits are beyond them.
func otherSpelling(last byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, last)|1])
}

func TestTokenExpiryHasNoLeeway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := verifier(t, Config{Secrets: [][]byte{secret}})
		exp := time.Now().Add(time.Hour)
		nbf := time.Now().Add(10 * time.Minute)
		token := hmacToken(t, map[string]any{"exp": exp.Unix(), "nbf": nbf.Unix()})
		try := func(at time.Time) error {
			time.Sleep(time.Until(at))
			_, err := v.Verify(context.Background(), token)
			return err
		}
		wantErr(t, try(nbf.Add(-nbfLeeway-1)), ErrInvalid)
		if err := try(nbf.Add(-nbfLeeway)); err != nil {
			t.Error(err)
		}
		if err := try(exp.Add(-1)); err != nil {
			t.Error(err)
		}
		wantErr(t, try(exp), ErrExpired)
	})
}

func TestAlgorithms(t *testing.T) {
	var keys [][]byte
	for _, p := range pairs() {
		keys = append(keys, pemOf(t, p.key.Public()))
	}
	all := verifier(t, Config{PublicKeys: keys, Secrets: [][]byte{secret}})
	for i, p := range pairs() {
		t.Run(p.method.Alg(), func(t *testing.T) {
			token := signed(t, p.method, p.key, "any", claims(nil))
			alone := verifier(t, Config{PublicKeys: [][]byte{keys[i]}})
			for _, v := range []*Verifier{all, alone} {
				if c, err := v.Verify(context.Background(), token); err != nil || c.Subject != "ann" {
					t.Fatal(c, err)
				}
			}
			other := verifier(t, Config{PublicKeys: [][]byte{keys[(i+1)%len(keys)]}, Secrets: [][]byte{secret}})
			_, err := other.Verify(context.Background(), token)
			wantErr(t, err, ErrInvalid)
			_, err = all.Verify(context.Background(), signed(t, p.method, newPair(p.method).key, "", claims(nil)))
			wantErr(t, err, ErrInvalid)
			_, err = alone.Verify(context.Background(), hmacToken(t, nil))
			wantErr(t, err, ErrInvalid)
		})
	}
}

// The public key as an HMAC secret, in all the forms that libraries fell for.
func TestAlgorithmConfusion(t *testing.T) {
	for _, p := range pairs() {
		public := pemOf(t, p.key.Public())
		block, _ := pem.Decode(public)
		for _, c := range []Config{{PublicKeys: [][]byte{public}}, {PublicKeys: [][]byte{public}, Secrets: [][]byte{secret}}} {
			v := verifier(t, c)
			for _, stolen := range [][]byte{public, []byte(strings.TrimSpace(string(public))), block.Bytes} {
				for _, m := range []jwt.SigningMethod{jwt.SigningMethodHS256, jwt.SigningMethodHS512} {
					_, err := v.Verify(context.Background(), signed(t, m, stolen, "", claims(nil)))
					wantErr(t, err, ErrInvalid)
				}
			}
		}
	}
	// Other algorithms of the same key are not configured either.
	rsaKey := pairs()[0]
	v := verifier(t, Config{PublicKeys: [][]byte{pemOf(t, rsaKey.key.Public())}})
	for _, m := range []jwt.SigningMethod{jwt.SigningMethodRS512, jwt.SigningMethodPS256} {
		_, err := v.Verify(context.Background(), signed(t, m, rsaKey.key, "", claims(nil)))
		wantErr(t, err, ErrInvalid)
	}
}

func TestSecretRotation(t *testing.T) {
	v := verifier(t, Config{Secrets: [][]byte{secondary, secret}})
	for _, key := range [][]byte{secret, secondary} {
		if _, err := v.Verify(context.Background(), signed(t, jwt.SigningMethodHS256, key, "k1", claims(nil))); err != nil {
			t.Error(err)
		}
	}
	_, err := v.Verify(context.Background(), signed(t, jwt.SigningMethodHS256, []byte("another secret"), "", claims(nil)))
	wantErr(t, err, ErrInvalid)
}

func TestBadKeys(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(p384)
	if err != nil {
		t.Fatal(err)
	}
	for says, c := range map[string]Config{
		"JWT secret 2 has 5 bytes": {Secrets: [][]byte{secret, []byte("short")}},
		"JWT secret 1 has 0 bytes": {Secrets: [][]byte{{}}},
		"1024 bits":                {PublicKeys: [][]byte{pemOf(t, weak.Public())}},
		"P-256":                    {PublicKeys: [][]byte{pemOf(t, p384.Public())}},
		"no PEM":                   {PublicKeys: [][]byte{[]byte("hello")}},
		"no private one":           {PublicKeys: [][]byte{pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})}},
		"characters, not 15":       {APIKeys: []APIKey{{Key: "123456789012345"}}},
		"API key 2: an API key has 16 to 8192 characters behind its name and colon, not 5": {APIKeys: []APIKey{{Key: serverKey}, {Name: "reports", Key: "short"}}},
		"cannot stand in a header": {APIKeys: []APIKey{{Key: "a key with spaces"}}},
		"API keys 1 and 2 are the same, with another name or other rights": {APIKeys: []APIKey{{Key: serverKey}, {Key: serverKey, Rights: &Rights{}}}},
		"API keys 2 and 3 are the same":                                    {APIKeys: []APIKey{{Key: "another-key-0123456789"}, {Name: "once", Key: serverKey}, {Name: "twice", Key: serverKey}}},
		"has to look like":                                                 {APIKeys: []APIKey{{Key: serverKey}}, Origins: []string{"app.example.com"}},
		"JWKS: an https":                                                   {JWKS: "ftp://keys.example/jwks"},
		"no such file":                                                     {JWKS: "/nonexistent/jwks.json"},
	} {
		_, err := New(context.Background(), c)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, should say %q", err, says)
		} else if strings.Contains(err.Error(), "123456789012345") || strings.Contains(err.Error(), "short:") {
			t.Errorf("%q gives the key away", err)
		}
	}
}

// Two keys in one file, one of them in a certificate's or PKCS #1 dress.
func TestPEMForms(t *testing.T) {
	r, e := pairs()[0], pairs()[1]
	file := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(r.key.Public().(*rsa.PublicKey))})
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{SerialNumber: big.NewInt(1)}, e.key.Public(), e.key)
	if err != nil {
		t.Fatal(err)
	}
	file = append(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	v := verifier(t, Config{PublicKeys: [][]byte{file}})
	for _, p := range []pair{r, e} {
		if _, err := v.Verify(context.Background(), signed(t, p.method, p.key, "", claims(nil))); err != nil {
			t.Error(p.method.Alg(), err)
		}
	}
}

func TestAPIKey(t *testing.T) {
	v := verifier(t, Config{APIKeys: []APIKey{{Key: serverKey}, {Key: "another-key-0123456789"}}})
	a, err := v.Verify(context.Background(), serverKey)
	if err != nil {
		t.Fatal(err)
	}
	b, err := v.Verify(context.Background(), "another-key-0123456789")
	if err != nil {
		t.Fatal(err)
	}
	if !a.APIKey || a.Subject != "" || a.Admin || !a.Expires.IsZero() || a.Publisher() == b.Publisher() || strings.Contains(fmt.Sprint(*a), serverKey) {
		t.Errorf("%+v %+v", a, b)
	}
	for _, wrong := range []string{serverKey[:len(serverKey)-1], serverKey + "0", strings.ToUpper(serverKey), hmacToken(t, nil)} {
		_, err := v.Verify(context.Background(), wrong)
		wantErr(t, err, ErrInvalid)
	}
}

// A key's name stands before its first colon, and the key keeps those after it.
func TestParseAPIKey(t *testing.T) {
	for text, want := range map[string]APIKey{
		"0123456789abcdef":                {Key: "0123456789abcdef"},
		"billing:0123456789abcdef":        {Name: "billing", Key: "0123456789abcdef"},
		"bill.ing_2-x:a:b:c:456789abcdef": {Name: "bill.ing_2-x", Key: "a:b:c:456789abcdef"},
		":with:colons:0123456789":         {Key: "with:colons:0123456789"},
	} {
		if got, err := ParseAPIKey(text); got != want || err != nil {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
	for text, says := range map[string]string{
		"secretpart:short":                            "characters behind its name and colon, not 5",
		"secret$part:0123456789abcdef":                "write :KEY",
		"geheim\u00fc:0123456789abcdef":               "write :KEY",
		strings.Repeat("n", 65) + ":0123456789abcdef": "at most 64",
		"0123456789abcdef0123\x00":                    "cannot stand in a header",
		"billing:":                                    "not 0",
	} {
		if _, err := ParseAPIKey(text); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "0123") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Uses are counted by name, and go on over a reload; other rights are another
// standing, of the same key.
func TestAPIKeyReload(t *testing.T) {
	named := APIKey{Name: "reports", Key: serverKey}
	v := verifier(t, Config{APIKeys: []APIKey{named, {Name: "reports", Key: "another-key-0123456789"}, {Key: "without-name-0123456789"}}})
	c, err := v.Verify(context.Background(), serverKey)
	if err != nil || c.KeyName != "reports" {
		t.Fatal(c, err)
	}
	if _, err = v.Verify(context.Background(), "another-key-0123456789"); err != nil {
		t.Fatal(err)
	}
	if uses := v.KeyUses(); len(uses) != 2 || uses["reports"] != 2 || uses[""] != 0 {
		t.Errorf("uses: %v", uses)
	}
	named.Rights = &Rights{Subscribe: mustPatterns(t, "chat:*")}
	if err := v.Reload(context.Background(), Config{APIKeys: []APIKey{named}}); err != nil {
		t.Fatal(err)
	}
	if v.Holds(c) || !v.Knows(c) || v.KeyUses()["reports"] != 1 {
		t.Errorf("with other rights it holds: %v, is known: %v; uses: %v", v.Holds(c), v.Knows(c), v.KeyUses())
	}
	again, err := v.Verify(context.Background(), serverKey)
	if err != nil || !v.Holds(again) || !again.MaySubscribe("chat:1") || again.MayPublish("chat:1") || again.Publisher() != c.Publisher() {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestSign(t *testing.T) {
	c := Config{Secrets: [][]byte{secondary, secret}, Issuer: "https://issuer.example", Audience: "runnel"}
	v := verifier(t, c)
	want := &Claims{Subject: "ann", Device: "phone", Admin: true, Subscribe: mustPatterns(t, "chat:*"), Publish: mustPatterns(t, "**"), Presence: mustPatterns(t, "a")}
	token, err := c.Sign(want, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.Verify(context.Background(), token)
	if err != nil {
		t.Fatal(err)
	}
	want.Expires, want.source = got.Expires, got.source
	if fmt.Sprint(*got) != fmt.Sprint(*want) || time.Until(got.Expires) > time.Hour || time.Until(got.Expires) < time.Hour-5*time.Second {
		t.Errorf("%+v, want %+v", got, want)
	}
	for _, bad := range []*Claims{{}, {Subject: "a\nb"}, {Subject: "ann", Device: strings.Repeat("d", 200)}, {Subject: "ann", Subscribe: make(Patterns, 101)}} {
		if _, err := c.Sign(bad, time.Hour); err == nil {
			t.Errorf("%+v was signed", bad)
		}
	}
	if _, err := c.Sign(want, 0); err == nil {
		t.Error("a dead token was signed")
	}
	if _, err := (Config{}).Sign(want, time.Hour); err == nil {
		t.Error("signed without a secret")
	}
}

// Whatever a token says: with a good signature it is refused, or its claims
// are within bounds; with another signature it is refused.
func FuzzToken(f *testing.F) {
	v := verifier(f, Config{Secrets: [][]byte{secret}})
	f.Add(`{"alg":"HS256"}`, `{"sub":"ann","exp":4102444800,"runnel":{"subscribe":["chat:*"],"device":"phone","admin":true}}`)
	f.Add(`{"alg":"none"}`, `{"sub":"ann","exp":1e9,"nbf":1.5,"aud":["a"],"runnel":{"admin":1}}`)
	f.Add(`{"alg":"HS256","kid":1,"crit":[]}`, `{"sub":"\ud800","exp":-0,"sub":"x"}`)
	f.Fuzz(func(t *testing.T, header, body string) {
		token := rawToken(t, header, body)
		if _, err := v.Verify(context.Background(), token[:len(token)-8]+"AAAAAAAA"); err == nil {
			t.Fatal("a wrong signature was accepted")
		}
		c, err := v.Verify(context.Background(), token)
		if err != nil {
			if !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrExpired) {
				t.Fatalf("%v is neither ErrInvalid nor ErrExpired", err)
			}
			return
		}
		if checkSubject(c.Subject) != nil || !c.Expires.After(time.Now()) || len(c.Subscribe) > maxPatterns || c.APIKey || c.Demo || c.MayPublish("$x") {
			t.Fatalf("%+v", c)
		}
	})
}

func FuzzRawToken(f *testing.F) {
	v := verifier(f, Config{Secrets: [][]byte{secret}, APIKeys: []APIKey{{Key: serverKey}}, PublicKeys: [][]byte{pemOf(f, pairs()[1].key.Public())}})
	good := hmacToken(f, nil) // never itself a seed: the fuzzer would find it in one with something added
	f.Add(good[:len(good)-20] + strings.Repeat("A", 20))
	f.Add(b64(`{"alg":"ES256"}`) + ".e30." + b64(strings.Repeat("x", 64)))
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := v.Verify(context.Background(), token); err == nil && token != serverKey {
			t.Fatalf("%q was accepted", token)
		}
	})
}

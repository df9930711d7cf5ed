package auth

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"runnel/hubtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	secret    = []byte("0123456789abcdef0123456789abcdef")
	secondary = []byte("fedcba9876543210fedcba9876543210")
)

const serverKey = "server-key-0123456789"

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func verifier(t testing.TB, c Config) *Verifier {
	t.Helper()
	if c.Logger == nil {
		c.Logger = quiet
	}
	v, err := New(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// claims is a token's body that is all right but for the changes; a nil
// value takes a claim away.
func claims(changes map[string]any) jwt.MapClaims {
	c := jwt.MapClaims{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range changes {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

func signed(t testing.TB, method jwt.SigningMethod, key any, kid string, c jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	if kid != "" {
		token.Header["kid"] = kid
	}
	s, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func hmacToken(t testing.TB, changes map[string]any) string {
	return signed(t, jwt.SigningMethodHS256, secret, "", claims(changes))
}

// rawToken signs a body as it stands, for what no encoder would write.
func rawToken(t testing.TB, header, body string) string {
	t.Helper()
	s := b64(header) + "." + b64(body)
	sig, err := jwt.SigningMethodHS256.Sign(s, secret)
	if err != nil {
		t.Fatal(err)
	}
	return s + "." + b64(string(sig))
}

// wantErr checks the kind of an error, and that it is one of ours.
func wantErr(t testing.TB, err, kind error) {
	t.Helper()
	var r *refusal
	if !errors.Is(err, kind) || !errors.As(err, &r) {
		t.Fatalf("error %v, want one that is %q", err, kind)
	}
}

// patience is how long a test waits for what has to happen.
const patience = hubtest.Patience

// eventually polls until the condition holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"testing"

	"runnel/streams/streamstest"
)

// Keys of the hubs that are not in demo mode.
const (
	apiKey = "an-api-key-of-the-tests"
	secret = "a secret of the tests, long enough for HS256"
)

// stores are the flags of every kind of store, each an empty one.
func stores(t testing.TB) map[string][]string {
	return map[string][]string{
		"memory": nil,
		"bolt":   {"--store", "bolt:" + filepath.Join(t.TempDir(), "runnel.db")},
		"redis":  {"--store", streamstest.StartRedis(t).URL()},
	}
}

// sign makes a JWT that the program's own command would not make.
func sign(t testing.TB, key string, claims map[string]any) string {
	t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + enc.EncodeToString(body)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return text + "." + enc.EncodeToString(mac.Sum(nil))
}

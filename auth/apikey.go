package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

// APIKey is a server's key as it is configured.
type APIKey struct {
	Name   string  // for people, in metrics and logs; "" for a key without one
	Key    string  // 16 or more printable characters
	Rights *Rights // nil: it publishes to any channel but the hub's own, and reads none
}

// Rights are all that an API key may do.
type Rights struct {
	Subscribe Patterns `json:"subscribe"`
	Publish   Patterns `json:"publish"`
}

// minAPIKey is for keys made by a generator; the hub sees every attempt.
const minAPIKey = 16

// maxKeyName bounds what stands in a metric's label.
const maxKeyName = 64

// ParseAPIKey reads NAME:KEY, or KEY alone. What stands before the first colon
// is the name, so a key with a colon and without a name begins with one. The
// error has nothing of the text in it, for any of that may be the key.
func ParseAPIKey(text string) (APIKey, error) {
	name, key, named := strings.Cut(text, ":")
	if !named {
		name, key = "", text
	}
	k := APIKey{Name: name, Key: key}
	return k, k.check()
}

func (k APIKey) check() error {
	for _, r := range k.Name {
		if r > 127 || !nameByte(byte(r)) || strings.ContainsRune(":@~", r) {
			return errors.New("an API key's name, which is what stands before its first colon, has letters, digits and . _ - only; write :KEY for a key with a colon and without a name")
		}
	}
	switch {
	case len(k.Name) > maxKeyName:
		return fmt.Errorf("an API key's name, which is what stands before its first colon, has at most %d characters", maxKeyName)
	case len(k.Key) < minAPIKey || len(k.Key) > maxToken:
		return fmt.Errorf("an API key%s has %d to %d characters, not %d: make one with openssl rand -hex 24", k.called(), minAPIKey, maxToken, len(k.Key))
	}
	for _, r := range k.Key {
		if r <= ' ' || r > '~' {
			return fmt.Errorf("an API key%s has no character that cannot stand in a header", k.called())
		}
	}
	return nil
}

func (k APIKey) called() string {
	if k.Name == "" {
		return ""
	}
	return fmt.Sprintf(" (this one is called %s)", k.Name)
}

// apiKey is an API key without the key.
type apiKey struct {
	hash   [sha256.Size]byte
	claims Claims         // of all who come with it
	uses   *atomic.Uint64 // how often that was
}

func newAPIKeys(c Config) ([]apiKey, error) {
	var keys []apiKey
	for _, k := range c.APIKeys {
		if err := k.check(); err != nil {
			return nil, err
		}
		made := newAPIKey(k)
		if i := slices.IndexFunc(keys, made.contradicts); i >= 0 {
			return nil, fmt.Errorf("API keys %d and %d are the same, with other rights", i+1, len(keys)+1)
		}
		keys = append(keys, made)
	}
	return keys, nil
}

func (k apiKey) contradicts(other apiKey) bool {
	return k.hash == other.hash && k.claims.rights != other.claims.rights
}

// newAPIKey tells publishers by a hash of the key that is no help in finding
// the one that is compared.
func newAPIKey(k APIKey) apiKey {
	publisher := sha256.Sum256([]byte("runnel API key name:" + k.Key))
	claims := Claims{
		APIKey: true, Key: hex.EncodeToString(publisher[:8]), KeyName: k.Name,
		source: Config{}.source("api", []byte(k.Key)),
	}
	if claims.anywhere = k.Rights == nil; !claims.anywhere {
		claims.Subscribe, claims.Publish = k.Rights.Subscribe, k.Rights.Publish
		text, _ := json.Marshal(k.Rights) // patterns are texts
		claims.rights = string(text)
	}
	return apiKey{hash: sha256.Sum256([]byte(k.Key)), claims: claims, uses: new(atomic.Uint64)}
}

// findAPIKey takes as long whether or not, and where, there is one: hashes
// are compared, of equal length, and all of them.
func (r *rules) findAPIKey(token string) *Claims {
	hash := sha256.Sum256([]byte(token))
	found := -1
	for i := range r.apiKeys {
		if subtle.ConstantTimeCompare(hash[:], r.apiKeys[i].hash[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return nil
	}
	k := &r.apiKeys[found]
	k.uses.Add(1)
	return &k.claims
}

// goOnCounting takes the counts over of keys that were there before.
func (r *rules) goOnCounting(old *rules) {
	if old == nil {
		return
	}
	for i := range r.apiKeys {
		for j := range old.apiKeys {
			if r.apiKeys[i].hash == old.apiKeys[j].hash {
				r.apiKeys[i].uses = old.apiKeys[j].uses
			}
		}
	}
}

// KeyUses is how often clients came with the API keys of each name, "" for
// those without one.
func (v *Verifier) KeyUses() map[string]uint64 {
	uses := make(map[string]uint64)
	for _, k := range v.rules.Load().apiKeys {
		uses[k.claims.KeyName] += k.uses.Load()
	}
	return uses
}

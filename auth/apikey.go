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

// check says nothing of the name either: it may be the front of a key that has
// a colon in it.
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
		return fmt.Errorf("an API key has %d to %d characters%s, not %d: make one with openssl rand -hex 24", minAPIKey, maxToken, k.behindName(), len(k.Key))
	}
	for _, r := range k.Key {
		if r <= ' ' || r > '~' {
			return errors.New("an API key has no character that cannot stand in a header")
		}
	}
	return nil
}

func (k APIKey) behindName() string {
	if k.Name == "" {
		return ""
	}
	return " behind its name and colon"
}

// apiKey is an API key without the key.
type apiKey struct {
	hash   [sha256.Size]byte
	claims Claims         // of all who come with it
	uses   *atomic.Uint64 // how often that was
}

// newAPIKeys takes a key that stands there twice for one, if it has one name
// and the same rights: it may stand in the file and in a flag.
func newAPIKeys(c Config) (keys []apiKey, err error) {
	var all []apiKey
	for i, k := range c.APIKeys {
		if err := k.check(); err != nil {
			return nil, fmt.Errorf("API key %d: %w", i+1, err)
		}
		made := newAPIKey(k)
		switch first := slices.IndexFunc(all, made.same); {
		case first < 0:
			keys = append(keys, made)
		case all[first].contradicts(made):
			return nil, fmt.Errorf("API keys %d and %d are the same, with another name or other rights", first+1, i+1)
		}
		all = append(all, made)
	}
	return keys, nil
}

func (k apiKey) same(other apiKey) bool { return k.hash == other.hash }

func (k apiKey) contradicts(other apiKey) bool {
	return k.claims.KeyName != other.claims.KeyName || k.claims.rights != other.claims.rights
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
			if r.apiKeys[i].same(old.apiKeys[j]) {
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

// keyNames are the names that API keys have, in their order.
func (r *rules) keyNames() (names []string) {
	for _, k := range r.apiKeys {
		if k.claims.KeyName != "" {
			names = append(names, k.claims.KeyName)
		}
	}
	return names
}

package server

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// A connection ID is a random part, which makes it unique, and a hash over it
// and the user: so any node can tell whose connection it is, for "exclude",
// without asking the node that has it. 72 random bits do not meet among all
// connections there will be; 48 bits of hash are enough against guessing,
// where a hit would only hide one's own event from somebody.
const (
	connectionRandom = 9
	connectionHash   = 6
	connectionIDSize = (connectionRandom + connectionHash) / 3 * 4
)

// newConnectionID names a connection of that user ("" for none).
func newConnectionID(user string) string {
	b := make([]byte, connectionRandom, connectionRandom+connectionHash)
	rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(append(b, connectionSum(b, user)...))
}

// connectionBelongs reports whether id is the ID of a connection of that user.
func connectionBelongs(id, user string) bool {
	b, ok := parseConnectionID(id)
	return ok && subtle.ConstantTimeCompare(b[connectionRandom:], connectionSum(b[:connectionRandom], user)) == 1
}

// parseConnectionID reports whether id has the form of a connection's ID.
func parseConnectionID(id string) ([]byte, bool) {
	if len(id) != connectionIDSize {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(id)
	// The decoder passes over line breaks: then b is short.
	return b, err == nil && len(b) == connectionRandom+connectionHash
}

func connectionSum(random []byte, user string) []byte {
	h := sha256.New()
	h.Write(random) // of one length, so that it and the user cannot be cut differently
	h.Write([]byte(user))
	return h.Sum(nil)[:connectionHash]
}

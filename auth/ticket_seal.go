package auth

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"golang.org/x/crypto/chacha20poly1305"
)

// A ticket is, in base64url, the version of its form, the ID of the key that
// sealed it, a nonce, and its content sealed with XChaCha20-Poly1305. A nonce of 24
// random bytes does not come twice, however long a key seals and however
// many nodes share it; with the 12 of AES-GCM a key would have to be counted
// or replaced before 2^32 tickets. Version and key ID are authenticated with
// what tickets are for, so that nothing else sealed by the key can be one.
const (
	ticketVersion = 1
	ticketPurpose = "runnel ticket"
	keyIDLen      = 8
	nonceLen      = chacha20poly1305.NonceSizeX
	headLen       = 1 + keyIDLen
	minSealed     = headLen + nonceLen + chacha20poly1305.Overhead
)

// maxTicket is how many characters a ticket may have. A request line of 8 KiB
// is what nginx and Apache let through, and there is more in a URL.
const maxTicket = 6 << 10

// ticketCode is strict: there is one text for each ticket.
var ticketCode = base64.RawURLEncoding.Strict()

type keyID [keyIDLen]byte

// ticketKey is a key that seals tickets.
type ticketKey struct {
	id     keyID
	aead   cipher.AEAD
	source string // of the configured secret that it is made from, "" if it is not
}

// newTicketKey takes the 32 bytes of a key; its ID says nothing about them.
func newTicketKey(key []byte) (k ticketKey, err error) {
	sum := sha256.Sum256(append([]byte("runnel ticket key ID:"), key...))
	copy(k.id[:], sum[:])
	k.aead, err = chacha20poly1305.NewX(key)
	return k, err
}

func newSecretKey() []byte {
	key := make([]byte, chacha20poly1305.KeySize)
	rand.Read(key) // never fails
	return key
}

// seal makes a ticket of the content.
func (k ticketKey) seal(content []byte) string {
	b := make([]byte, headLen+nonceLen, minSealed+len(content))
	b[0] = ticketVersion
	copy(b[1:], k.id[:])
	nonce := b[headLen:]
	rand.Read(nonce)
	return ticketCode.EncodeToString(k.aead.Seal(b, nonce, content, authenticated(b)))
}

// sealedTicket is a ticket that was taken out of its text.
type sealedTicket []byte

// parseTicket reports whether the text can be a ticket.
func parseTicket(text string) (sealedTicket, bool) {
	if len(text) > maxTicket {
		return nil, false
	}
	b, err := ticketCode.DecodeString(text)
	// The decoder passes over line ends.
	if err != nil || len(b) < minSealed || b[0] != ticketVersion || ticketCode.EncodedLen(len(b)) != len(text) {
		return nil, false
	}
	return b, true
}

func (t sealedTicket) key() keyID    { return keyID(t[1:headLen]) }
func (t sealedTicket) nonce() []byte { return t[headLen : headLen+nonceLen] }

// open returns the content, and whether the key sealed it.
func (t sealedTicket) open(k ticketKey) ([]byte, bool) {
	content, err := k.aead.Open(nil, t.nonce(), t[headLen+nonceLen:], authenticated(t))
	return content, err == nil
}

// authenticated is what is sealed with the content without standing in it.
func authenticated(ticket []byte) []byte {
	return append([]byte(ticketPurpose), ticket[:headLen]...)
}

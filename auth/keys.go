package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
)

// The algorithms of tokens (RFC 7518, section 3.1; RFC 8037, section 3.1).
const (
	hs256 = "HS256"
	rs256 = "RS256"
	es256 = "ES256"
	eddsa = "EdDSA"
)

const (
	// minSecret is as long as the hash (RFC 7518, section 3.2): who has one token can
	// try secrets on it for as long as they like.
	minSecret = 32
	// minRSA is RFC 7518, section 3.3.
	minRSA = 2048
)

// tokenKey is one configured key for tokens.
type tokenKey struct {
	key    any    // what golang-jwt takes for the algorithm
	source string // see Verifier.Holds
}

// keyring has the configured keys by the one algorithm that each is for, so
// that a public key's bytes can never be taken for a secret.
type keyring map[string][]tokenKey

func newKeyring(c Config) (keyring, error) {
	ring := make(keyring)
	for i, secret := range c.Secrets {
		if len(secret) < minSecret {
			return nil, fmt.Errorf("JWT secret %d has %d bytes, HS256 needs at least %d: make one with openssl rand -hex 32", i+1, len(secret), minSecret)
		}
		ring[hs256] = append(ring[hs256], tokenKey{secret, c.source("secret", secret)})
	}
	for i, text := range c.PublicKeys {
		if err := ring.addPEM(c, text); err != nil {
			return nil, fmt.Errorf("JWT public key %d: %w", i+1, err)
		}
	}
	return ring, nil
}

// addPEM adds all keys of a PEM file.
func (ring keyring) addPEM(c Config, text []byte) error {
	block, rest := pem.Decode(text)
	if block == nil {
		return errors.New("is no PEM text (-----BEGIN PUBLIC KEY-----)")
	}
	for ; block != nil; block, rest = pem.Decode(rest) {
		key, err := publicKey(block)
		if err != nil {
			return err
		}
		alg, err := algorithm(key)
		if err != nil {
			return err
		}
		ring[alg] = append(ring[alg], tokenKey{key, c.source("public", block.Bytes)})
	}
	return nil
}

func publicKey(block *pem.Block) (any, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return certificate.PublicKey, nil
	}
	return nil, fmt.Errorf("a PEM block %q is no public key; the hub checks tokens and needs no private one", block.Type)
}

// algorithm is the one that a public key is used for.
func algorithm(key any) (string, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSA {
			return "", fmt.Errorf("an RSA key of %d bits is too short, RS256 needs %d", k.N.BitLen(), minRSA)
		}
		return rs256, nil
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return "", errors.New("an EC key has to be on the curve P-256, for ES256")
		}
		return es256, nil
	case ed25519.PublicKey:
		return eddsa, nil
	}
	return "", fmt.Errorf("a key of type %T is not for RS256, ES256 or EdDSA", key)
}

// source is a fingerprint of something that vouches for clients, together
// with what else a token has to say to be believed.
func (c Config) source(kind string, key []byte) string {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(kind), key, []byte(c.Issuer), []byte(c.Audience)} {
		fmt.Fprintf(h, "%d:", len(part))
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

const demoSource = "demo"

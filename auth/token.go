package auth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxToken is more than proxies let through in a header; it bounds the work
// that a token can make before its signature is known.
const maxToken = 8 << 10

// nbfLeeway is for the clocks of those who sign. There is none for "exp": a
// token that has ended must not open anything.
const nbfLeeway = 30 * time.Second

// verify checks a JWT (RFC 7519, section 7.2) and what it says.
func (r *rules) verify(ctx context.Context, token string) (*Claims, error) {
	if len(token) > maxToken {
		return nil, refuse(ErrInvalid, "the token is longer than %d bytes", maxToken)
	}
	var p payload
	var source string
	_, err := r.parser.ParseWithClaims(token, &p, func(t *jwt.Token) (any, error) {
		k, err := r.key(ctx, t)
		source = k.source
		return k.key, err
	})
	if err != nil {
		return nil, sentence(err)
	}
	if err := r.check(&p, time.Now()); err != nil {
		return nil, err
	}
	return &Claims{
		Subject: p.Subject, Expires: p.Expires,
		Device: p.Rights.Device, Admin: p.Rights.Admin,
		Subscribe: p.Rights.Subscribe, Publish: p.Rights.Publish, Presence: p.Rights.Presence,
		source: source,
	}, nil
}

// key finds the key for a token: a configured one for its algorithm, else one
// of the key set.
func (r *rules) key(ctx context.Context, t *jwt.Token) (tokenKey, error) {
	if _, ok := t.Header["crit"]; ok { // RFC 7515, section 4.1.11
		return tokenKey{}, refuse(ErrInvalid, "the token demands an extension that is not known here")
	}
	signed := t.Raw[:strings.LastIndexByte(t.Raw, '.')]
	for _, k := range r.keys[t.Method.Alg()] {
		if t.Method.Verify(signed, t.Signature, k.key) == nil {
			return k, nil
		}
	}
	if r.set == nil || t.Method.Alg() == hs256 {
		return tokenKey{}, errSignature
	}
	candidates, err := r.set.candidates(ctx, t)
	if err != nil {
		return tokenKey{}, err
	}
	for _, key := range candidates {
		if t.Method.Verify(signed, t.Signature, key) == nil {
			return tokenKey{key, r.setSource}, nil
		}
	}
	return tokenKey{}, errSignature
}

var errSignature = refuse(ErrInvalid, "the token's signature fits no key")

// sentence turns an error of the parser into one for clients. The parser's
// own texts may quote what a token contains.
func sentence(err error) error {
	var known *refusal
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, jwt.ErrTokenMalformed):
		return refuse(ErrInvalid, "the token is neither an API key of this hub nor a JSON Web Token")
	}
	return refuse(ErrInvalid, "the token's algorithm is not one that is accepted here")
}

// check holds the signed claims against the clock and the configuration.
func (r *rules) check(p *payload, now time.Time) error {
	switch {
	case p.Expires.IsZero():
		return refuse(ErrInvalid, `the token needs a claim "exp"`)
	case !now.Before(p.Expires):
		return expired(p.Expires)
	case now.Add(nbfLeeway).Before(p.NotBefore):
		return refuse(ErrInvalid, "the token is not valid before %s", p.NotBefore.Format(time.RFC3339))
	case r.issuer != "" && p.Issuer != r.issuer:
		return refuse(ErrInvalid, `the token's claim "iss" is not the issuer that is accepted here`)
	case r.audience != "" && !slices.Contains(p.Audience, r.audience):
		return refuse(ErrInvalid, `the token's claim "aud" does not name this hub`)
	}
	return checkSubject(p.Subject)
}

func expired(at time.Time) error {
	return refuse(ErrExpired, "the token expired at %s", at.Format(time.RFC3339))
}

package auth

import (
	"context"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Sign makes a token that a hub of this configuration accepts, for trying
// things out: HS256 with the first secret, good from now on for life, at least
// a second. It says of the user and its rights what the claims say; Expires
// and what no token can say do not count. An error says what the hub would
// refuse.
func (c Config) Sign(claims *Claims, life time.Duration) (string, error) {
	if len(c.Secrets) == 0 {
		return "", errors.New("a JWT secret is needed to sign a token")
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c.body(claims, life)).SignedString(c.Secrets[0])
	if err != nil {
		return "", err
	}
	r, err := newRules(Config{Secrets: c.Secrets[:1], Issuer: c.Issuer, Audience: c.Audience})
	if err != nil {
		return "", err
	}
	if _, err := r.verify(context.Background(), token); err != nil {
		return "", err
	}
	return token, nil
}

func (c Config) body(claims *Claims, life time.Duration) jwt.MapClaims {
	type rights struct {
		Subscribe Patterns `json:"subscribe,omitempty"`
		Publish   Patterns `json:"publish,omitempty"`
		Presence  Patterns `json:"presence,omitempty"`
		Device    string   `json:"device,omitempty"`
		Admin     bool     `json:"admin,omitempty"`
	}
	body := jwt.MapClaims{
		"sub":    claims.Subject,
		"exp":    time.Now().Add(life).Unix(),
		"runnel": rights{claims.Subscribe, claims.Publish, claims.Presence, claims.Device, claims.Admin},
	}
	if c.Issuer != "" {
		body["iss"] = c.Issuer
	}
	if c.Audience != "" {
		body["aud"] = c.Audience
	}
	return body
}

package main

import (
	"errors"
	"fmt"
	"time"

	"runnel/auth"
)

// tokenCommand makes a JWT.
type tokenCommand struct {
	Sub       string        `placeholder:"USER" help:"The user: may subscribe to user:USER, and is the from of what is published."`
	Subscribe list          `sep:"none" placeholder:"PATTERN" help:"Channels that may be subscribed to, such as 'chat:*'. Repeatable."`
	Publish   list          `sep:"none" placeholder:"PATTERN" help:"Channels that may be published to. Repeatable."`
	Presence  list          `sep:"none" placeholder:"PATTERN" help:"Channels whose presence may be seen. Repeatable."`
	Device    string        `placeholder:"NAME" help:"The user's device."`
	Admin     bool          `help:"Opens /operator, metrics and pprof."`
	TTL       time.Duration `name:"ttl" default:"1h" placeholder:"TIME" help:"How long it is good (${default})."`

	JWTSecret   secrets `name:"jwt-secret" sep:"none" placeholder:"SECRET" help:"The hub's secret; better in RUNNEL_JWT_SECRET, for ps shows flags. The first signs."`
	JWTIssuer   string  `name:"jwt-issuer" placeholder:"ISS" help:"The token's iss."`
	JWTAudience string  `name:"jwt-audience" placeholder:"AUD" help:"The token's aud."`
}

// Run prints the token.
func (t *tokenCommand) Run(s *surroundings) error {
	if len(t.JWTSecret) == 0 {
		return usage("a token is signed with the hub's secret: set RUNNEL_JWT_SECRET or --jwt-secret")
	}
	if err := lasting("--ttl", t.TTL, time.Second, 0); err != nil {
		return &usageError{err}
	}
	claims, err := t.claims()
	if err != nil {
		return &usageError{err}
	}
	c := auth.Config{Secrets: [][]byte{[]byte(t.JWTSecret[0])}, Issuer: t.JWTIssuer, Audience: t.JWTAudience}
	token, err := c.Sign(claims, t.TTL)
	if err != nil {
		return &usageError{err}
	}
	_, err = fmt.Fprintln(s.stdout, token)
	return err
}

func (t *tokenCommand) claims() (*auth.Claims, error) {
	c := &auth.Claims{Subject: t.Sub, Device: t.Device, Admin: t.Admin}
	for _, right := range []struct {
		flag     string
		patterns *auth.Patterns
		texts    list
	}{
		{"--subscribe", &c.Subscribe, t.Subscribe},
		{"--publish", &c.Publish, t.Publish},
		{"--presence", &c.Presence, t.Presence},
	} {
		var err error
		if *right.patterns, err = auth.ParsePatterns(right.texts...); err != nil {
			return nil, fmt.Errorf("%s: %w", right.flag, err)
		}
	}
	if t.Sub == "" {
		return nil, errors.New("a token is a user's: name the user with --sub, such as --sub ann")
	}
	return c, nil
}

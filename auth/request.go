package auth

import (
	"context"
	"net/http"
	"strings"
)

// carrier is where in a request a credential stands.
type carrier int

const (
	nowhere carrier = iota
	inHeader
	inCookie
	inURL
	asTicket
)

// tokenCookie is the cookie that a hub's own or allowed pages can log in with.
const tokenCookie = "runnel_token"

// Request checks the first credential that the request carries: the header
// Authorization: Bearer, the cookie runnel_token, access_token= or ticket= in
// the URL. A bad one is an error, whatever else there is; none at all is
// ErrMissing, and a WebSocket may still send one. API keys count in the header
// only: they live long, and URLs end up in logs. A cookie counts only from
// pages that may use it, else it is ErrOrigin. In demo mode credentials are
// not looked at: every request from loopback may do everything, any other is
// ErrOrigin.
//
// A single-use ticket is used up by this call.
func (v *Verifier) Request(ctx context.Context, r *http.Request) (*Claims, error) {
	rules := v.rules.Load()
	if rules.demo {
		if err := demoRule.check(r); err != nil {
			return nil, err
		}
		return demoClaims(), nil
	}
	where, credential, err := credentialOf(r)
	if err != nil {
		return nil, err
	}
	switch where {
	case inHeader:
		return rules.bearer(ctx, credential)
	case inCookie:
		if err := rules.checkOrigin(r, false); err != nil {
			return nil, err
		}
		return rules.verify(ctx, credential)
	case inURL:
		return rules.verify(ctx, credential)
	case asTicket:
		return v.redeem(ctx, rules, credential)
	}
	return nil, refuse(ErrMissing, "%s", ErrMissing)
}

// credentialOf finds the first credential. One that stands there twice with
// different values is bad: somebody may have slipped theirs in, as a
// subdomain can with a cookie (RFC 6265, section 8.6).
func credentialOf(r *http.Request) (carrier, string, error) {
	if values := bearers(r); len(values) > 0 {
		return one(inHeader, values)
	}
	if cookies := r.CookiesNamed(tokenCookie); len(cookies) > 0 {
		values := make([]string, len(cookies))
		for i, c := range cookies {
			values[i] = c.Value
		}
		return one(inCookie, values)
	}
	if r.URL.RawQuery == "" {
		return nowhere, "", nil
	}
	query := r.URL.Query()
	if values := query["access_token"]; len(values) > 0 {
		return one(inURL, values)
	}
	if values := query["ticket"]; len(values) > 0 {
		return one(asTicket, values)
	}
	return nowhere, "", nil
}

func one(where carrier, values []string) (carrier, string, error) {
	for _, v := range values {
		if v != values[0] {
			return where, "", refuse(ErrInvalid, "the request carries two different tokens")
		}
	}
	return where, values[0], nil
}

// bearers are the bearer tokens (RFC 6750, section 2.1); other schemes are
// for proxies on the way.
func bearers(r *http.Request) []string {
	var tokens []string
	for _, h := range r.Header.Values("Authorization") {
		scheme, token, _ := strings.Cut(h, " ")
		if strings.EqualFold(scheme, "Bearer") {
			tokens = append(tokens, strings.TrimSpace(token))
		}
	}
	return tokens
}

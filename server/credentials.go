package server

import (
	"net/http"

	"runnel/auth"
	"runnel/streams"
)

// authenticate returns the claims of the request's first credential, in the
// order of protocol.md.
func (s *Server) authenticate(r *http.Request) (*auth.Claims, error) {
	return s.verifier.Request(r.Context(), r)
}

// mayPublish says whether an event may be published to the channel, and that
// it is one: 400 for a name that no channel can have, 403 for the hub's own
// channels and without the right.
func mayPublish(claims *auth.Claims, channel string) error {
	if err := streams.ValidChannel(channel); err != nil {
		return err
	}
	if streams.OwnChannel(channel) {
		return forbidden("only the hub itself publishes to channels that begin with $")
	}
	if !claims.MayPublish(channel) {
		return forbidden("no right to publish to %s", channel)
	}
	return nil
}

// maySubscribe is mayPublish's counterpart.
func maySubscribe(claims *auth.Claims, channel string) error {
	if err := streams.ValidChannel(channel); err != nil {
		return err
	}
	if !claims.MaySubscribe(channel) {
		return forbidden("no right to subscribe to %s", channel)
	}
	return nil
}

// requireAdmin lets operators pass: those with an admin token, and in demo
// mode everybody.
func (s *Server) requireAdmin(r *http.Request) error {
	claims, err := s.authenticate(r)
	if err != nil {
		return err
	}
	if !claims.Admin {
		return forbidden("an admin token is needed")
	}
	return nil
}

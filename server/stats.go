package server

import (
	"sync/atomic"

	"runnel/auth"
)

// openFeeds counts what is open, by transport.
type openFeeds struct {
	sse, websocket, poll atomic.Int64
	refused              atomic.Int64 // WebSockets that are being told why
}

// Recheck closes the feeds whose token no longer counts, after the verifier
// was reloaded. Everybody else stays.
func (s *Server) Recheck() {
	s.hub.recheck(func(claims *auth.Claims) *apiError {
		if claims == nil || s.verifier.Holds(claims) {
			return nil
		}
		return errRevoked
	})
}

// stillHolds is for what a request waited for: its token may have been revoked
// meanwhile.
func (s *Server) stillHolds(claims *auth.Claims) error {
	if s.verifier.Holds(claims) {
		return nil
	}
	return errRevoked
}

var errRevoked = unauthorized("the key of this token does not count any more", "not valid")

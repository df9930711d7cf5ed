package server

import (
	"sync/atomic"

	"runnel/auth"
)

// openFeeds counts what is open, by transport.
type openFeeds struct {
	sse, websocket, poll atomic.Int64
	publish              atomic.Int64 // streams of publishers
	refused              atomic.Int64 // WebSockets that are being told why
}

// Recheck closes the feeds whose token no longer counts, or whose API key has
// other rights, after the verifier was reloaded. Everybody else stays.
func (s *Server) Recheck() { s.hub.recheck(s.standing) }

// standing says why what claims opened cannot go on, nil if it can.
func (s *Server) standing(claims *auth.Claims) *apiError {
	switch {
	case claims == nil || s.verifier.Holds(claims):
		return nil
	case s.verifier.Knows(claims):
		return errNewRights
	}
	return errRevoked
}

// stillHolds is for what a request waited for: its token may have been revoked
// meanwhile.
func (s *Server) stillHolds(claims *auth.Claims) error {
	if why := s.standing(claims); why != nil {
		return why
	}
	return nil
}

var (
	errRevoked = unauthorized("the key of this token does not count any more", "not valid")
	// Who comes again has the new ones: nothing that a client would have to mend.
	errNewRights = fault(codeUnavailable, "the rights of this API key have changed; connect again")
)

package server

import (
	"sync/atomic"
	"time"

	"runnel/auth"
)

// openFeeds counts what is open, by transport.
type openFeeds struct {
	sse, websocket, poll atomic.Int64
	refused              atomic.Int64 // WebSockets that are being told why
}

// Stats is a snapshot of what the node does.
type Stats struct {
	Connections    int // feeds and waiting long-polls
	SSE, WebSocket int
	Channels       int // followed
	Subscriptions  int
	Deliveries     uint64 // events written to feeds so far
	Publishes      uint64 // events published so far
	Uptime         time.Duration
}

// Stats returns a snapshot.
func (s *Server) Stats() Stats {
	broker := s.broker.Stats()
	return Stats{
		Connections: s.admissions.count(),
		SSE:         int(s.open.sse.Load()), WebSocket: int(s.open.websocket.Load()),
		Channels: broker.Channels, Subscriptions: broker.Subscriptions,
		Deliveries: s.hub.delivered(), Publishes: broker.Published,
		Uptime: s.uptime(),
	}
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

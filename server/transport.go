package server

import (
	"time"

	"runnel/streams"
)

// transport is how a feed writes: SSE or WebSocket. Each method appends bytes
// that stand for themselves on the wire; a feed's calls come one at a time.
type transport interface {
	// event appends an event of the channel.
	event(b []byte, channel string, e *streams.Event) []byte
	// position appends that the channel's position moved past events that
	// this connection does not get.
	position(b []byte, channel string, at streams.ID) []byte
	// gap appends the account of what is missing.
	gap(b []byte, g *streams.Gap) []byte
	// undo tells that the channel's last events, gaps or positions did not go
	// out after all; it stands at that position again.
	undo(channel string, at streams.ID)
	// heartbeat appends a sign of life, with the time as a JSON object.
	heartbeat(b, stamp []byte) []byte
	// expiring appends the warning that the token is about to expire.
	expiring(b []byte, at time.Time) []byte
	// goodbye appends the end of the feed and why.
	goodbye(b []byte, why *apiError) []byte
	// ping appends what makes the peer answer, if it does.
	ping(b []byte) []byte
	// answers reports whether the peer answers a ping and a goodbye.
	answers() bool
}

package server

import (
	"math/rand/v2"
	"strconv"
	"time"

	"runnel/streams"
)

// sse is the transport of a feed of server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
type sse struct{}

func (sse) event(b []byte, _ string, e *streams.Event) []byte { return append(b, sseBlock(e)...) }

func (sse) position(b []byte, channel string, at streams.ID) []byte {
	return appendSSE(b, "runnel.position", positionJSON(channel, at), at.Append(nil))
}

func (sse) gap(b []byte, g *streams.Gap) []byte {
	return appendSSE(b, "runnel.gap", appendGap(nil, g, false), g.Last.Append(nil))
}

func (sse) undo(string, streams.ID) {}

func (sse) heartbeat(b, stamp []byte) []byte {
	return appendSSE(b, "runnel.heartbeat", stamp, nil)
}

func (sse) expiring(b []byte, at time.Time) []byte {
	return appendSSE(b, "runnel.expiring", timeJSON("expires_at", at), nil)
}

// goodbye has an EventSource come back soon, and says why if that is not just
// that the node goes away. Nobody waits for an answer.
func (sse) goodbye(b []byte, why *apiError) []byte {
	b = appendRetry(b, retrySoon)
	if why.close != closeDraining {
		b = appendSSE(b, "runnel.error", appendError(nil, why, ""), nil)
	}
	return b
}

func (sse) ping(b []byte) []byte { return b }
func (sse) answers() bool        { return false }

// sseMany is the transport of a feed over several channels: each block has the
// envelope as its data and a cursor of all positions as its ID.
type sseMany struct {
	sse
	cursor streams.Cursor
}

func (t *sseMany) event(b []byte, channel string, e *streams.Event) []byte {
	var id []byte
	if !e.Ephemeral() {
		id = t.at(channel, e.ID)
	}
	return appendSSE(b, "", envelope(e, channel), id)
}

func (t *sseMany) position(b []byte, channel string, at streams.ID) []byte {
	return appendSSE(b, "runnel.position", positionJSON(channel, at), t.at(channel, at))
}

func (t *sseMany) gap(b []byte, g *streams.Gap) []byte {
	return appendSSE(b, "runnel.gap", appendGap(nil, g, false), t.at(g.Channel, g.Last))
}

func (t *sseMany) undo(channel string, at streams.ID) { t.cursor.Set(channel, at) }

// at returns the cursor after the channel has moved to a position.
func (t *sseMany) at(channel string, position streams.ID) []byte {
	t.cursor.Set(channel, position)
	return t.cursor.Append(nil)
}

// An EventSource that is told to come back waits this long, and up to as long
// again by chance, so that those who left together do not come together.
const (
	retrySoon  = time.Second
	retryLater = 5 * time.Second // when it is refused for now
)

func appendRetry(b []byte, least time.Duration) []byte {
	wait := least + rand.N(least)
	b = append(b, "retry: "...)
	b = strconv.AppendInt(b, wait.Milliseconds(), 10)
	return append(b, "\n\n"...)
}

func positionJSON(channel string, at streams.ID) []byte {
	b := appendJSONString([]byte(`{"channel":`), channel)
	b = appendJSONID(append(b, `,"last_event_id":`...), at)
	return append(b, '}')
}

func timeJSON(name string, t time.Time) []byte {
	b := appendJSONString([]byte{'{'}, name)
	b = t.UTC().AppendFormat(append(b, `:"`...), timeLayout)
	return append(b, `"}`...)
}

package server

import (
	"math/rand/v2"
	"strconv"
	"time"

	"runnel/streams"
)

// sse is the transport of a feed of server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
type sse struct {
	chunks bool // each block goes as a chunk, as HTTP/1.1 needs it
}

func (t sse) event(b []byte, _ string, e *streams.Event) []byte {
	if t.chunks {
		return append(b, sseChunk(e)...)
	}
	return append(b, sseBlock(e)...)
}

func (t sse) position(b []byte, channel string, at streams.ID) []byte {
	return t.block(b, "runnel.position", positionJSON(channel, at), at.Append(nil))
}

func (t sse) gap(b []byte, g *streams.Gap) []byte {
	return t.block(b, "runnel.gap", appendGap(nil, g, false), g.Last.Append(nil))
}

func (sse) undo(string, streams.ID) {}

func (t sse) heartbeat(b, stamp []byte) []byte {
	return t.block(b, "runnel.heartbeat", stamp, nil)
}

func (t sse) expiring(b []byte, at time.Time) []byte {
	return t.block(b, "runnel.expiring", timeJSON("expires_at", at), nil)
}

// goodbye has an EventSource come back soon, and says why. Nobody waits for an
// answer. The body is complete where coming back is of no use.
func (t sse) goodbye(b []byte, why *apiError) []byte {
	wait := byChance(retrySoon)
	if why.close == closeDraining {
		return t.blockWithRetry(b, wait, "runnel.draining", retryJSON(wait), nil)
	}
	b = t.blockWithRetry(b, wait, "runnel.error", appendError(nil, why, ""), nil)
	if t.chunks && why.final() {
		b = append(b, lastChunk...)
	}
	return b
}

func (sse) ping(b []byte) []byte { return b }
func (sse) answers() bool        { return false }

// block appends a block of the hub's own.
func (t sse) block(b []byte, event string, data, id []byte) []byte {
	return t.framed(appendSSE(b, event, data, id), len(b))
}

// blockWithRetry appends a block that says as well how long to wait before
// coming again. By itself, a "retry:" would be a block without data, which many
// clients take for a message.
func (t sse) blockWithRetry(b []byte, wait time.Duration, event string, data, id []byte) []byte {
	from := len(b)
	b = strconv.AppendInt(append(b, "retry: "...), wait.Milliseconds(), 10)
	return t.framed(appendSSE(append(b, '\n'), event, data, id), from)
}

// framed makes of what b holds from there on what goes over the wire.
func (t sse) framed(b []byte, from int) []byte {
	if t.chunks {
		return appendedChunk(b, from)
	}
	return b
}

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
	return t.block(b, "", envelope(e, channel), id)
}

func (t *sseMany) position(b []byte, channel string, at streams.ID) []byte {
	return t.block(b, "runnel.position", positionJSON(channel, at), t.at(channel, at))
}

func (t *sseMany) gap(b []byte, g *streams.Gap) []byte {
	return t.block(b, "runnel.gap", appendGap(nil, g, false), t.at(g.Channel, g.Last))
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

func byChance(least time.Duration) time.Duration { return least + rand.N(least) }

func retryJSON(wait time.Duration) []byte {
	b := strconv.AppendInt([]byte(`{"retry":`), wait.Milliseconds(), 10)
	return append(b, '}')
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

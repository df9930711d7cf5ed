package server

import (
	"encoding/binary"
	"strings"
	"time"

	"runnel/streams"
)

// ws is the transport of a WebSocket (RFC 6455): each message is a text frame
// with one JSON object.
type ws struct{}

// Opcodes of frames beside that of a text (RFC 6455 section 5.2). Those from
// opClose on are control frames, which may stand between a message's fragments.
const (
	opContinue = 0
	opBinary   = 2
	opClose    = 8
	opPing     = 9
	opPong     = 10
)

// reserved is the bits of a frame's first byte that mean nothing unless an
// extension gives them a meaning.
const reserved = 0x70

// maxControlSize is what a control frame may carry (RFC 6455 section 5.5).
const maxControlSize = 125

func (ws) event(b []byte, channel string, e *streams.Event) []byte {
	return append(b, wsFrame(e, channel)...)
}

func (ws) position(b []byte, channel string, at streams.ID) []byte {
	m := appendJSONString([]byte(`{"type":"position","channel":`), channel)
	m = appendJSONID(append(m, `,"last_event_id":`...), at)
	return appendText(b, append(m, '}'))
}

func (ws) gap(b []byte, g *streams.Gap) []byte { return appendText(b, appendGap(nil, g, true)) }

func (ws) undo(string, streams.ID) {}

func (ws) heartbeat(b, _ []byte) []byte {
	return appendText(b, []byte(`{"type":"heartbeat"}`))
}

func (ws) expiring(b []byte, at time.Time) []byte {
	m := at.UTC().AppendFormat([]byte(`{"type":"expiring","expires_at":"`), timeLayout)
	return appendText(b, append(m, `"}`...))
}

// goodbye is a close frame (RFC 6455 section 5.5.1).
func (ws) goodbye(b []byte, why *apiError) []byte {
	reason := why.message
	if len(reason) > maxCloseReason {
		reason = strings.ToValidUTF8(reason[:maxCloseReason], "") // a peer must fail on half a character
	}
	b = append(b, finalFrame|opClose, byte(2+len(reason)))
	b = binary.BigEndian.AppendUint16(b, uint16(why.close))
	return append(b, reason...)
}

// maxCloseReason is what a control frame leaves beside the code.
const maxCloseReason = maxControlSize - 2

func (ws) ping(b []byte) []byte { return append(b, finalFrame|opPing, 0) }

func (ws) answers() bool { return true }

// appendText appends a message as an unmasked text frame.
func appendText(b, message []byte) []byte {
	b = appendFrameHeader(b, opText, len(message))
	return append(b, message...)
}

package server

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"unicode/utf8"

	"runnel/streams"
)

// The wire formats that an event keeps encoded (see [streams.Event.Form]).
// The envelope alone is the payload of the WebSocket frame, not a form of its
// own: an event in the tail takes memory for each form it has.
const (
	sseForm      = iota // the block of a feed over one channel, as a chunk
	wsForm              // an unmasked WebSocket text frame with the envelope
	deflatedForm        // the same compressed
)

// defaultType is the type of an event published without one, and the one that
// an EventSource dispatches without an "event:" line.
const defaultType = "message"

// timeLayout is RFC 3339 with milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// sseChunk returns the event as a feed over one channel carries it in chunks.
func sseChunk(e *streams.Event) []byte { return e.Form(sseForm, encodeSSE) }

// sseBlock returns the event as a feed over one channel carries it as it is.
func sseBlock(e *streams.Event) []byte { return chunkContent(sseChunk(e)) }

// wsFrame returns the event's envelope in a frame as a server sends it.
func wsFrame(e *streams.Event, channel string) []byte {
	return e.Form(wsForm, func(e *streams.Event) []byte {
		envelope := appendEnvelope(make([]byte, 0, len(e.Data)+len(channel)+192), e, channel)
		frame := make([]byte, 0, len(envelope)+maxFrameHeader)
		return append(appendFrameHeader(frame, opText, len(envelope)), envelope...)
	})
}

// envelope returns the event as the JSON object of protocol.md.
func envelope(e *streams.Event, channel string) []byte {
	frame := wsFrame(e, channel)
	return frame[frameHeaderSize(frame):]
}

func encodeSSE(e *streams.Event) []byte {
	b := make([]byte, 0, len(e.Data)+len(e.Type)+72)
	var id []byte
	if !e.Ephemeral() {
		id = e.ID.Append(make([]byte, 0, 40))
	}
	return appendedChunk(appendSSE(b, e.Type, e.Data, id), 0)
}

// appendSSE appends one block: the "event:" line (none for a message), a
// "data:" line for each line of data, and last "id:" (none when id is empty).
// The ID comes last because some clients deliver a block that was cut off:
// they then resume before it. Every line break that the SSE grammar knows is
// one in data, so that nothing published can begin a line of its own.
func appendSSE(b []byte, event string, data, id []byte) []byte {
	if event != "" && event != defaultType {
		b = append(b, "event: "...)
		b = appendUnbroken(b, event)
		b = append(b, '\n')
	}
	b = appendData(b, data)
	if len(id) > 0 {
		b = append(b, "id: "...)
		b = append(b, id...)
		b = append(b, '\n')
	}
	return append(b, '\n')
}

// appendData appends a "data:" line for each line, which LF, CR or CR LF ends.
// What stands between two LF is looked through for CR by itself: one search for
// whichever comes first would go to the end of the data at each line.
func appendData(b, data []byte) []byte {
	for more := true; more; {
		var line []byte
		if line, data, more = bytes.Cut(data, []byte{'\n'}); more {
			line = bytes.TrimSuffix(line, []byte{'\r'})
		}
		for again := true; again; {
			var part []byte
			part, line, again = bytes.Cut(line, []byte{'\r'})
			b = append(b, "data: "...)
			b = append(b, part...)
			b = append(b, '\n')
		}
	}
	return b
}

// appendUnbroken appends s with a space for each line break. Publishing
// refuses such types; the log might still hold one that was put there by hand.
func appendUnbroken(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] == '\n' || s[i] == '\r' {
			b = append(b, ' ')
		} else {
			b = append(b, s[i])
		}
	}
	return b
}

// appendEnvelope appends the event as the JSON object of protocol.md. What an
// event does not have is left out: an ephemeral one its id and time, one that
// a server published its from. JSON data stands in it byte for byte.
func appendEnvelope(b []byte, e *streams.Event, channel string) []byte {
	b = append(b, `{"type":"event","channel":`...)
	b = appendJSONString(b, channel)
	if !e.Ephemeral() {
		b = append(b, `,"id":"`...)
		b = e.ID.Append(b)
		b = append(b, '"')
	}
	b = append(b, `,"event":`...)
	if e.Type == "" {
		b = append(b, `"`+defaultType+`"`...)
	} else {
		b = appendJSONString(b, e.Type)
	}
	if e.Text {
		b = appendJSONString(append(b, `,"text":`...), string(e.Data))
	} else {
		b = append(append(b, `,"data":`...), e.Data...)
	}
	if e.From != "" {
		b = appendJSONString(append(b, `,"from":`...), e.From)
	}
	if !e.Ephemeral() {
		b = e.ID.Time().AppendFormat(append(b, `,"time":"`...), timeLayout)
		b = append(b, '"')
	}
	return append(b, '}')
}

// envelopeSize is what appendEnvelope appends at most, and the comma after it.
func envelopeSize(e *streams.Event, channel string) int {
	const names = 192 // the members' names, ID, time and punctuation
	size := names + len(channel) + jsonStringSize(e.Type) + jsonStringSize(e.From)
	if e.Text {
		return size + jsonStringSize(e.Data)
	}
	return size + len(e.Data)
}

// jsonStringSize is what appendJSONString makes of a string at most.
func jsonStringSize[T string | []byte](s T) int {
	size := len(s) + 2
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ':
			size += 5 // \u0001
		case c == '"' || c == '\\':
			size++
		}
	}
	return size
}

// appendGap appends the gap as the JSON object of protocol.md; typed puts the
// "type" of a WebSocket message first.
func appendGap(b []byte, g *streams.Gap, typed bool) []byte {
	b = append(b, '{')
	if typed {
		b = append(b, `"type":"gap",`...)
	}
	b = appendJSONString(append(b, `"channel":`...), g.Channel)
	b = appendJSONID(append(b, `,"after":`...), g.After)
	b = appendJSONID(append(b, `,"last_event_id":`...), g.Last)
	b = appendJSONID(append(b, `,"resumed_at":`...), g.Resumed)
	b = append(b, `,"missed":`...)
	if g.Missed == streams.MissedUnknown {
		b = append(b, `null`...)
	} else {
		b = strconv.AppendInt(b, g.Missed, 10)
	}
	b = appendJSONString(append(b, `,"reason":`...), string(g.Reason))
	return append(b, '}')
}

// appendJSONID appends an ID as a JSON string, the zero ID as null.
func appendJSONID(b []byte, id streams.ID) []byte {
	if id.IsZero() {
		return append(b, "null"...)
	}
	return append(id.Append(append(b, '"')), '"')
}

// appendJSONString appends s as a JSON string. Only what RFC 8259 section 7
// requires is escaped; bytes that are not UTF-8 become U+FFFD, for browsers
// close a WebSocket over them.
func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		b = append(b, s[start:i]...)
		switch {
		case c >= utf8.RuneSelf:
			b = append(b, "\ufffd"...)
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i += size
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

// The first byte of a frame that is a message's only one, and the opcode of a
// text frame (RFC 6455 section 5.2).
const (
	finalFrame = 0x80
	opText     = 1
)

// maxFrameHeader is the longest header of an unmasked frame.
const maxFrameHeader = 10

// appendFrameHeader appends the header of a final, unmasked frame of n bytes
// (RFC 6455 section 5.2: a server never masks).
func appendFrameHeader(b []byte, opcode byte, n int) []byte {
	b = append(b, finalFrame|opcode)
	switch {
	case n < 126:
		return append(b, byte(n))
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
}

// frameHeaderSize is how long the header of an unmasked frame is.
func frameHeaderSize(frame []byte) int {
	switch frame[1] {
	case 126:
		return 4
	case 127:
		return 10
	default:
		return 2
	}
}

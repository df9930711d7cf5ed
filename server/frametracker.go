package server

import (
	"encoding/binary"
	"time"
)

// frameTracker follows a client's WebSocket frames (RFC 6455 section 5.2) as
// their bytes pass by, to know when the connection stands between two
// messages: there a reader may go away without losing anything. It passes
// nothing on that breaks the rules.
type frameTracker struct {
	head     [maxFrameHeader + maskSize]byte
	have     uint8  // bytes of the header so far
	left     uint64 // bytes of the payload to come
	open     bool   // a fragmented message has frames to come
	bye      bool   // the last frame is a close frame
	ended    bool   // somewhere in what passed last it stood between two messages
	deflates bool   // permessage-deflate was agreed on
	wrong    string // what rule was broken

	frames int   // begun in that second
	second int64 // of the clock
}

// flooded reports whether more frames than most came within a second of the
// clock. Pings and empty fragments cost work too, though they are no messages.
func (t *frameTracker) flooded(now time.Time, most int) bool {
	if s := now.Unix(); s != t.second {
		t.frames, t.second = 0, s
	}
	return t.frames > most
}

// masked marks a frame of a client, in the byte of its size.
const (
	masked   = 0x80
	maskSize = 4
)

// between reports whether what passed ended with a whole message.
func (t *frameTracker) between() bool { return t.have == 0 && t.left == 0 && !t.open }

// saidGoodbye reports whether what passed ended with a close frame. What may
// follow one is of no interest (RFC 6455 section 5.5.1).
func (t *frameTracker) saidGoodbye() bool { return t.bye && t.left == 0 }

// pass returns how much of b the reader may have: all, but for a frame that is
// wrong and what follows it.
func (t *frameTracker) pass(b []byte) (good int) {
	rest, start := b, 0
	t.ended = false
	for len(rest) > 0 && !t.saidGoodbye() && t.wrong == "" {
		if t.left > 0 {
			n := min(t.left, uint64(len(rest)))
			t.left -= n
			rest = rest[n:]
			t.ended = t.ended || t.between()
			continue
		}
		if t.have == 0 {
			start = len(b) - len(rest)
		}
		t.head[t.have] = rest[0]
		t.have++
		rest = rest[1:]
		if t.have >= 2 && int(t.have) == t.headerSize() {
			t.begin()
		}
	}
	if t.wrong != "" {
		return start
	}
	return len(b)
}

func (t *frameTracker) headerSize() int {
	size := 2
	switch t.head[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if t.head[1]&masked != 0 {
		size += maskSize
	}
	return size
}

// begin starts the payload of the frame whose header is complete.
func (t *frameTracker) begin() {
	t.left = t.size()
	if t.wrong = t.fault(); t.wrong != "" {
		return
	}
	opcode := t.opcode()
	if opcode < opClose {
		t.open = t.head[0]&finalFrame == 0
	}
	t.bye = opcode == opClose
	t.have = 0
	t.frames++
	t.ended = t.ended || t.between()
}

func (t *frameTracker) opcode() byte { return t.head[0] & 0x0f }

// size is that of the payload.
func (t *frameTracker) size() uint64 {
	switch n := t.head[1] & 0x7f; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(t.head[2:]))
	case 127:
		return binary.BigEndian.Uint64(t.head[2:])
	default:
		return uint64(n)
	}
}

// fault says what is wrong with the frame whose header is complete, "" if
// nothing is.
func (t *frameTracker) fault() string {
	opcode, short := t.opcode(), t.head[1]&0x7f
	switch {
	case t.head[1]&masked == 0:
		return "a client's frame has to be masked"
	case t.head[0]&reserved != 0 && !t.compresses():
		return "a reserved bit is set"
	case opcode > opBinary && opcode < opClose || opcode > opPong:
		return "there is no such opcode"
	case opcode >= opClose && (short > maxControlSize || t.head[0]&finalFrame == 0):
		return "a control frame has at most 125 bytes and no fragments"
	case short == 126 && t.left < 126, short == 127 && (t.left <= 0xffff || t.left>>63 != 0):
		return "the length is not written in its shortest form"
	case opcode == opContinue && !t.open:
		return "there is no message to continue"
	case (opcode == opText || opcode == opBinary) && t.open:
		return "the message before has not ended"
	}
	return ""
}

// compresses reports whether the frame's reserved bits are those of a
// compressed message's first one (RFC 7692 section 6).
func (t *frameTracker) compresses() bool {
	opcode := t.opcode()
	return t.deflates && t.head[0]&reserved == compressed && (opcode == opText || opcode == opBinary)
}

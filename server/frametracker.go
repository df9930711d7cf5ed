package server

import (
	"encoding/binary"
	"time"
)

// frameTracker follows a client's WebSocket frames (RFC 6455 section 5.2) as
// their bytes pass by, to know when the connection stands between two
// messages: there a reader may go away without losing anything.
type frameTracker struct {
	head [maxFrameHeader + maskSize]byte
	have uint8  // bytes of the header so far
	left uint64 // bytes of the payload to come
	open bool   // a fragmented message has frames to come
	bye  bool   // the last frame is a close frame

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

func (t *frameTracker) pass(b []byte) {
	for len(b) > 0 && !t.saidGoodbye() {
		if t.left > 0 {
			n := min(t.left, uint64(len(b)))
			t.left -= n
			b = b[n:]
			continue
		}
		t.head[t.have] = b[0]
		t.have++
		b = b[1:]
		if t.have >= 2 && int(t.have) == t.headerSize() {
			t.begin()
		}
	}
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
	switch n := t.head[1] & 0x7f; n {
	case 126:
		t.left = uint64(binary.BigEndian.Uint16(t.head[2:]))
	case 127:
		t.left = binary.BigEndian.Uint64(t.head[2:])
	default:
		t.left = uint64(n)
	}
	const control = 8 // opcodes from here on, which may stand between fragments
	if t.head[0]&0x0f < control {
		t.open = t.head[0]&finalFrame == 0
	}
	t.bye = t.head[0]&0x0f == opClose
	t.have = 0
	t.frames++
}

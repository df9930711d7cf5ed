package server

import (
	"bytes"
	"compress/flate"
	"sync"

	"runnel/streams"
)

// wsDeflate is the transport of a WebSocket that takes compressed messages
// (permessage-deflate, RFC 7692). Without context takeover a message stands for
// itself: it is compressed once for everybody, and no connection keeps a
// window.
type wsDeflate struct {
	ws
	from int // data of fewer bytes is not worth it
}

func (t *wsDeflate) event(b []byte, channel string, e *streams.Event) []byte {
	if len(e.Data) < t.from {
		return t.ws.event(b, channel, e)
	}
	return append(b, deflatedFrame(e, channel)...)
}

// deflatedFrame returns the event's envelope as a compressed frame, or as a
// plain one where that is shorter.
func deflatedFrame(e *streams.Event, channel string) []byte {
	return e.Form(deflatedForm, func(e *streams.Event) []byte {
		d := deflaters.Get().(*deflater)
		defer deflaters.Put(d)
		d.plain = appendEnvelope(d.plain[:0], e, channel)
		packed := d.deflate()
		if len(packed) >= len(d.plain) {
			return appendText(make([]byte, 0, maxFrameHeader+len(d.plain)), d.plain)
		}
		frame := make([]byte, 0, maxFrameHeader+len(packed))
		return append(appendFrameHeader(frame, compressed|opText, len(packed)), packed...)
	})
}

// compressed marks a frame whose message is compressed (RSV1, RFC 7692 section
// 6).
const compressed = 0x40

// deflater is what compressing needs, which is too much to make for each event.
type deflater struct {
	plain  []byte
	packed bytes.Buffer
	writer *flate.Writer
}

var deflaters = sync.Pool{New: func() any {
	d := &deflater{}
	d.writer, _ = flate.NewWriter(&d.packed, flate.BestSpeed) // the level is a good one
	return d
}}

// deflate compresses plain, and leaves out what ends every flush (RFC 7692
// section 7.2.1). Writing to memory does not fail.
func (d *deflater) deflate() []byte {
	d.packed.Reset()
	d.writer.Reset(&d.packed)
	_, _ = d.writer.Write(d.plain)
	_ = d.writer.Flush()
	return bytes.TrimSuffix(d.packed.Bytes(), []byte{0, 0, 0xff, 0xff})
}

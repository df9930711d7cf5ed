//go:build linux

package main

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"io"

	"golang.org/x/sys/unix"
)

// ws is the wire of WebSocket (RFC 6455), as far as a subscriber needs it.
type ws struct {
	deflate bool // permessage-deflate has to have been agreed
	seed    maphash.Seed
	seen    map[uint64][]mark // what compressed frames held
	inflate io.ReadCloser
}

func newWire(transport string, deflate bool) wire {
	if transport == "ws" {
		return &ws{deflate: deflate, seed: maphash.MakeSeed(), seen: map[uint64][]mark{}, inflate: flate.NewReader(nil)}
	}
	return sse{}
}

// Of the first byte of a frame, RFC 6455, section 5.2.
const (
	compressed  = 0x40
	closeFrame  = 8
	pingFrame   = 9
	framesKept  = 4096 // compressed frames remembered; a burst has far fewer
	closingText = "the hub closed with code %d %q"
)

func (w *ws) greeted(head []byte) bool {
	head = bytes.ToLower(head)
	agreed := bytes.Contains(head, []byte("permessage-deflate")) && bytes.Contains(head, []byte("server_no_context_takeover"))
	return bytes.HasPrefix(head, []byte("http/1.1 101")) && agreed == w.deflate
}

func (w *ws) parse(s *subscriber, b []byte) (int, error) {
	used := 0
	for {
		head, size, ok := frame(b[used:])
		if !ok {
			return used, nil
		}
		payload := b[used+head : used+head+size]
		if err := w.take(s, b[used], payload); err != nil {
			return used, err
		}
		used += head + size
	}
}

// frame returns the sizes of a frame's head and payload; ok is false as long
// as it is not all there. Servers do not mask.
func frame(b []byte) (head, size int, ok bool) {
	if len(b) < 2 {
		return 0, 0, false
	}
	head, size = 2, int(b[1])
	switch {
	case size == 126 && len(b) >= 4:
		head, size = 4, int(binary.BigEndian.Uint16(b[2:]))
	case size == 127 && len(b) >= 10:
		head, size = 10, int(min(binary.BigEndian.Uint64(b[2:]), 1<<40))
	case size > 125:
		return 0, 0, false
	}
	return head, size, len(b) >= head+size
}

func (w *ws) take(s *subscriber, first byte, payload []byte) error {
	switch {
	case first&0xf == pingFrame:
		return pong(s.fd, payload)
	case first&0xf == closeFrame && len(payload) >= 2:
		return fmt.Errorf(closingText, binary.BigEndian.Uint16(payload), payload[2:])
	case first&compressed != 0:
		return w.takeCompressed(s, payload)
	}
	s.scan(payload)
	return nil
}

// takeCompressed inflates a frame unless one of the same bytes was inflated
// before: a hub that compresses once sends all subscribers the same.
func (w *ws) takeCompressed(s *subscriber, payload []byte) error {
	key := maphash.Bytes(w.seed, payload)
	marks, ok := w.seen[key]
	if !ok {
		text, err := w.inflated(payload)
		if err != nil {
			return err
		}
		for m, rest, ok := nextMark(text); ok; m, rest, ok = nextMark(rest) {
			marks = append(marks, m)
		}
		if len(w.seen) >= framesKept {
			clear(w.seen)
		}
		w.seen[key] = marks
	}
	for _, m := range marks {
		s.take(m)
	}
	return nil
}

// inflated undoes permessage-deflate without context takeover, RFC 7692,
// section 7.2.2; an empty last block follows, so that the reader ends.
func (w *ws) inflated(payload []byte) ([]byte, error) {
	whole := append(bytes.Clone(payload), "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...)
	if err := w.inflate.(flate.Resetter).Reset(bytes.NewReader(whole), nil); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(w.inflate)
	if err != nil {
		return nil, fmt.Errorf("a compressed frame: %w", err)
	}
	return text, nil
}

// pong answers a ping; a mask of zeros is one.
func pong(fd int, payload []byte) error {
	answer := append([]byte{0x8a, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
	_, err := unix.Write(fd, answer)
	return err
}

//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
)

// dialects are the ways to publish over one connection, by name.
func dialects(name string) (dialect, error) {
	switch name {
	case "ws":
		return socket{}, nil
	case "ndjson":
		return &lines{}, nil
	}
	return nil, fmt.Errorf("%q is no way to publish; there are ws and ndjson", name)
}

// socket publishes by messages of a WebSocket.
type socket struct{}

func (socket) request(h *hub) []byte {
	return []byte("GET /ws HTTP/1.1\r\nHost: " + h.paths.host + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: cnVubmVsIGJlbmNoIGtleQ==\r\n" + h.paths.publishHead + "\r\n")
}

func (socket) greeted(head []byte) bool { return bytes.HasPrefix(head, []byte("HTTP/1.1 101")) }

// event makes a client's frame, RFC 6455, section 5.2; a mask of zeros is one.
func (socket) event(b []byte, channel string, data []byte) []byte {
	const before, between = `{"type":"publish","channel":"`, `","data":`
	size := len(before) + len(channel) + len(between) + len(data) + 1
	if size < 126 {
		b = append(b, 0x81, 0x80|byte(size))
	} else {
		b = binary.BigEndian.AppendUint16(append(b, 0x81, 0x80|126), uint16(size))
	}
	b = append(b, 0, 0, 0, 0)
	b = append(append(b, before...), channel...)
	return append(append(append(b, between...), data...), '}')
}

func (socket) seal(b, events []byte) []byte { return append(b, events...) }

func (socket) answers(b []byte) (published, used int, err error) {
	for {
		head, size, ok := frame(b[used:])
		if !ok {
			return published, used, nil
		}
		payload := b[used+head : used+head+size]
		switch {
		case bytes.HasPrefix(payload, []byte(`{"type":"published"`)):
			published++
		case bytes.HasPrefix(payload, []byte(`{"type":"error"`)) || b[used]&0xf == closeFrame:
			return 0, 0, fmt.Errorf("publishing failed: %.200s", payload)
		}
		used += head + size
	}
}

// lines publishes by lines of one long request, answered line by line.
type lines struct {
	last byte // of the answer so far
}

func (*lines) request(h *hub) []byte {
	return []byte("POST " + h.paths.batch + "?stream=true HTTP/1.1\r\nHost: " + h.paths.host + "\r\n" +
		"Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n" + h.paths.publishHead + "\r\n")
}

func (*lines) greeted(head []byte) bool { return bytes.HasPrefix(head, []byte("HTTP/1.1 200")) }

func (*lines) event(b []byte, channel string, data []byte) []byte {
	b = append(append(b, `{"channel":"`...), channel...)
	b = append(append(b, `","data":`...), data...)
	return append(b, "}\n"...)
}

func (*lines) seal(b, events []byte) []byte {
	b = strconv.AppendInt(b, int64(len(events)), 16)
	return append(append(append(b, "\r\n"...), events...), "\r\n"...)
}

// answers counts lines that are not blank: one may go over from a chunk to the
// next.
func (l *lines) answers(b []byte) (published, used int, err error) {
	for {
		head, rest, ok := bytes.Cut(b[used:], []byte("\r\n"))
		if !ok {
			return published, used, nil
		}
		size, err := strconv.ParseUint(string(head), 16, 32)
		switch {
		case err != nil || size == 0:
			return 0, 0, fmt.Errorf("%w: a chunk of %.20q", errAnswer, head)
		case len(rest) < int(size)+2:
			return published, used, nil
		}
		text := rest[:size]
		if bytes.Contains(text, []byte(`"error"`)) {
			return 0, 0, fmt.Errorf("publishing failed: %.200s", text)
		}
		for _, c := range text {
			if c == '\n' && l.last == '}' {
				published++
			}
			l.last = c
		}
		used += len(head) + 2 + int(size) + 2
	}
}

//go:build linux

package main

import "bytes"

// sse is the wire of Server-Sent Events. Chunk sizes, where there are any,
// stand between blocks or in them and hurt neither the blank line that ends a
// block nor a mark.
type sse struct{}

func (sse) greeted(head []byte) bool { return bytes.HasPrefix(head, []byte("HTTP/1.1 200")) }

func (sse) parse(s *subscriber, b []byte) (int, error) {
	used := 0
	for {
		end := bytes.Index(b[used:], []byte("\n\n"))
		if end < 0 {
			return used, nil
		}
		block := b[used : used+end]
		s.scan(block)
		if s.crowd.hub.positions {
			s.locate(block)
		}
		used += end + 2
	}
}

// locate keeps the position that a block brings.
func (s *subscriber) locate(block []byte) {
	for line := range bytes.Lines(block) {
		if id, ok := bytes.CutPrefix(line, []byte("id:")); ok {
			s.position = string(bytes.TrimSpace(id))
		}
	}
}

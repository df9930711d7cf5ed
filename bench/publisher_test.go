//go:build linux

package main

import "testing"

func TestAnswered(t *testing.T) {
	whole := "HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}"
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n[{\"id\":\"1-00\"}]\n\r\n0\r\n\r\n"
	for _, test := range []struct {
		name, text string
		size       int
		fails      bool
	}{
		{"whole", whole, len(whole), false},
		{"more behind it", whole + "HTTP/1.1 2", len(whole), false},
		{"head only", whole[:30], 0, false},
		{"body missing", whole[:len(whole)-1], 0, false},
		{"chunked", chunked, len(chunked), false},
		{"chunks missing", chunked[:len(chunked)-3], 0, false},
		{"no body", "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", 44, false},
		{"refused", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 0, true},
		{"one item failed", "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n[{\"error\":{}}]", 0, true},
		{"no HTTP", "+PONG\r\n\r\n", 0, true},
		{"no number", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 0, true},
	} {
		size, err := answered([]byte(test.text))
		if size != test.size || (err != nil) != test.fails {
			t.Errorf("%s: %d, %v, want %d", test.name, size, err, test.size)
		}
	}
}

func FuzzAnswered(f *testing.F) {
	f.Add([]byte("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if size, err := answered(b); size < 0 || size > len(b) || err != nil && size != 0 {
			t.Fatalf("%d of %d bytes, %v", size, len(b), err)
		}
	})
}

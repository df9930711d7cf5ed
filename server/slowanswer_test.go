package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"runnel/auth"
	"runnel/streams"
)

// TestSlowPeersGetWholePages: a peer that takes some of a long answer all the
// time gets all of it, however long that takes; over HTTP and by WebSocket.
func TestSlowPeersGetWholePages(t *testing.T) {
	for _, transport := range []string{"http", "websocket"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			n := startNode(t, demo, func(c *Config, _ *auth.Config) {
				c.Limits = DefaultLimits()
				c.Limits.AnswerWait = 2 * time.Second
			})
			for range 17 {
				if _, err := n.broker.Publish(t.Context(), "a", streams.Draft{Data: []byte(strings.Repeat("x", 60<<10)), Text: true}); err != nil {
					t.Fatal(err)
				}
			}
			conn := thinConnection(t, n)
			if transport == "http" {
				fmt.Fprint(conn, "GET /channels/a/events?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
			} else {
				fmt.Fprint(conn, "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"+
					maskedText(`{"type":"history","channel":"a","limit":1000}`))
			}
			if got := readSlowly(t, conn, `"more":`); got < 15*60<<10 {
				t.Errorf("the answer has %d bytes", got)
			}
			if transport == "websocket" { // it is not being closed, either
				io.WriteString(conn, maskedText(`{"type":"ping"}`))
				readSlowly(t, conn, `"pong"`)
			}
		})
	}
}

// readSlowly reads until that comes, and returns how much that was.
func readSlowly(t *testing.T, r io.Reader, until string) (n int) {
	t.Helper()
	var last string
	b := make([]byte, 8<<10)
	for !strings.Contains(last, until) {
		k, err := r.Read(b)
		if err != nil {
			t.Fatalf("after %d bytes: %v", n, err)
		}
		n += k
		last = last[max(0, len(last)-len(until)):] + string(b[:k])
		time.Sleep(time.Duration(k) * time.Second / 250_000)
	}
	return n
}

// thinConnection is one that holds little on the way.
func thinConnection(t *testing.T, n *node) io.ReadWriter {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: n.Handler()}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(thinListener{ln}) }()
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); server.Close(); <-ended })
	if err := conn.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil {
		t.Fatal(err)
	}
	return conn
}

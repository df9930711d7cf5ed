package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// polledConversation is one over a connection that the node's poller watches,
// and the peer's end of it.
func polledConversation(t *testing.T, n *node) (*conversation, net.Conn) {
	t.Helper()
	server, client := tcpPair(t)
	v := &conversation{server: n.Server, feed: n.hub.newFeed(ws{}, nil, "")}
	out, peer := n.hub.takeOver(server)
	v.feed.outlet = out
	v.socket = &socket{feed: v.feed, conversation: v, peer: peer, polled: peer.(*descriptor)}
	n.hub.add(v.feed, nil)
	t.Cleanup(v.feed.end)
	return v, client
}

// TestPongsKeepThePollerShortly: the poller serves all connections, so of one
// that floods it reads a little and leaves the rest to a goroutine.
func TestPongsKeepThePollerShortly(t *testing.T) {
	n := startNode(t, demo)
	v, client := polledConversation(t, n)
	pongs := strings.Repeat("\x8a\x80abcd", 3000)
	if _, err := io.WriteString(client, pongs); err != nil {
		t.Fatal(err)
	}
	client.Close()
	turns := 0
	eventually(t, "many pongs are left to a goroutine", func() bool { turns++; return !v.socket.takePongs() })
	left, err := io.Copy(io.Discard, v.socket.peer)
	if err != nil {
		t.Fatal(err)
	}
	if taken := len(pongs) - int(left); taken == 0 || taken > turns*pongReads*8*pongSize {
		t.Errorf("in %d turns the poller took %d bytes", turns, taken)
	}
}

// TestFloodsAreNotHeardOut: who floods is told so and gone, however long it
// goes on.
func TestFloodsAreNotHeardOut(t *testing.T) {
	for name, frame := range map[string]string{
		"pongs": "\x8a\x80abcd", "pings": "\x89\x80abcd", "empty fragments": "\x00\x80abcd",
		"messages": "\x81\x82\x00\x00\x00\x00{}",
	} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t, demo)
			s := n.openSocket(t, "/ws")
			if name == "empty fragments" {
				io.WriteString(s, "\x01\x80abcd")
			}
			f := n.onlyFeed(t)
			go io.Copy(io.Discard, s)
			for flood, err := []byte(strings.Repeat(frame, 10000)), error(nil); err == nil; {
				_, err = s.Write(flood)
			}
			// The hub did not wait until its time for closing was over.
			eventually(t, "the feed has ended", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.ended })
			if late := time.Since(f.endBy); late > 0 {
				t.Errorf("it was heard out until %v after closing had to be over", late)
			}
		})
	}
}

// onlyFeed returns the feed of the one connection that there is.
func (n *node) onlyFeed(t *testing.T) (f *feed) {
	t.Helper()
	eventually(t, "there is a feed", func() bool {
		n.hub.mu.Lock()
		defer n.hub.mu.Unlock()
		for f = range n.hub.feeds {
			return true
		}
		return false
	})
	return f
}

// openSocket makes a WebSocket's handshake.
func (n *node) openSocket(t *testing.T, path string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(n.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path)
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the handshake: %v, %v", resp, err)
	}
	return conn
}

// TestBinaryMessagesCount: what is no message of the hub's is one too many all
// the same, and who goes on is closed.
func TestBinaryMessagesCount(t *testing.T) {
	n := startNode(t, demo)
	s := n.openSocket(t, "/ws")
	limits := DefaultLimits()
	go io.WriteString(s, strings.Repeat("\x82\x80abcd", limits.MessageBurst+2*limits.MessageRefusals))
	all, err := io.ReadAll(s)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(all), `"code":"rate_limited"`) || !strings.Contains(string(all), "\x0f\xa8too many messages") {
		t.Errorf("the hub says %q", all[max(0, len(all)-300):])
	}
	if answered := strings.Count(string(all), `"code":"bad_request"`); answered < limits.MessageBurst || answered > 2*limits.MessageBurst {
		t.Errorf("%d were answered", answered)
	}
}

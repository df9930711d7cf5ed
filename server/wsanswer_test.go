package server

import (
	"bufio"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"runnel/auth"
	"runnel/streams"
)

// TestPublishersThatDoNotReadAreBounded: who publishes without taking the
// answers waits, and goes on when it takes them.
func TestPublishersThatDoNotReadAreBounded(t *testing.T) {
	n := startNode(t, demo)
	server, client := tcpPair(t)
	server.(*net.TCPConn).SetWriteBuffer(32 << 10)
	client.(*net.TCPConn).SetReadBuffer(32 << 10)
	out, _ := n.hub.takeOver(server)
	f := startFeed(t, n, ws{}, out, "a")
	defer f.end()

	const publishes = 2500
	published := make(chan struct{})
	go func() {
		defer close(published)
		v := &conversation{server: n.Server, feed: f, claims: &auth.Claims{Demo: true}}
		ref := json.RawMessage(`"` + strings.Repeat("r", maxRef-2) + `"`)
		for range publishes {
			v.do(&message{kind: "publish", ref: ref, item: item{channel: "b", data: json.RawMessage("1")}})
		}
	}()
	held, waits := 0, false
	eventually(t, "the publisher waits, or has done", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		held, waits = len(f.control), f.drained != nil
		return waits || isDone(published)
	})
	if held > maxControl+2*maxRef {
		t.Errorf("%d bytes are held", held)
	}

	client.SetReadDeadline(time.Now().Add(patience))
	r := bufio.NewReader(client)
	for i := range publishes {
		if _, err := r.ReadString('}'); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
	}
	<-published
	if last := n.head("b"); last.N != publishes {
		t.Errorf("the last event is %v", last)
	}
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// head is the last ID that the log assigned in the channel.
func (n *node) head(channel string) streams.ID {
	n.t.Helper()
	heads, err := n.store.Heads(n.t.Context(), []string{channel})
	if err != nil {
		n.t.Fatal(err)
	}
	return heads[0].Last
}

package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"runnel/streams"
)

// TestSlowPeerHoldsLittle: a peer that takes nothing costs the rest of one
// frame, however much it misses, and gets everything once it reads.
func TestSlowPeerHoldsLittle(t *testing.T) {
	n := startNode(t, demo)
	server, client := tcpPair(t)
	out, _ := n.hub.takeOver(server)
	f := startFeed(t, n, sse{}, out, "a")
	defer f.end()
	const total = 900
	big := strings.Repeat("y", 40<<10)
	for i := range total {
		data := fmt.Appendf(nil, `"%d %s"`, i, big)
		if _, err := n.broker.Publish(t.Context(), "a", streams.Draft{Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the feed to be stuck", func() bool { return f.state.Load() != idle && f.wrote.Load() > 0 })
	if subs := f.subs[0].Position(); subs.N >= total {
		t.Fatalf("the position ran ahead to %v", subs)
	}
	got := &bytes.Buffer{}
	client.SetReadDeadline(time.Now().Add(patience))
	buffer := make([]byte, 1<<16)
	for seen := 0; seen < total; {
		k, err := client.Read(buffer)
		if err != nil {
			t.Fatalf("after %d events: %v", seen, err)
		}
		got.Write(buffer[:k])
		seen += bytes.Count(buffer[:k], []byte("\n\n"))
	}
	for i, block := range parseSSE(got.String()) {
		if !strings.HasPrefix(block.data, fmt.Sprintf(`"%d y`, i)) {
			t.Fatalf("block %d is %.20s", i, block.data)
		}
	}
}

func tcpPair(t *testing.T) (server, client net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close(); client.Close() })
	return server, client
}

// TestAnswersToAStuckPeerAreBounded: who asks on without taking the answers
// waits, whatever it asks for.
func TestAnswersToAStuckPeerAreBounded(t *testing.T) {
	n := startNode(t, demo)
	server, _ := tcpPair(t)
	out, _ := n.hub.takeOver(server)
	f := startFeed(t, n, ws{}, out, "a")
	defer f.end()
	announce := frame("unsubscribed", json.RawMessage(`"`+strings.Repeat("r", 200)+`"`), nil)
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		for range 200_000 {
			sub, err := n.broker.Subscribe(t.Context(), "b", streams.Now(), f)
			if err != nil {
				return
			}
			if !f.subscribe(sub, announce) {
				sub.Close()
				return
			}
			f.unsubscribe("b", announce)
		}
	}()
	stuck := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.queued - f.gone + f.unsent
	}
	eventually(t, "the bound is reached", func() bool { return stuck() > maxControl-len(announce) })
	if held := stuck(); held > maxControl {
		t.Errorf("%d bytes are held", held)
	}
	f.end()
	<-asked
}

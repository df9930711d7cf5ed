package server

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"runnel/streams"
)

// A poller that fails leaves nobody unheard: who is connected is cut, and is
// served when it comes again.
func TestPollerFails(t *testing.T) {
	n := startNode(t, demo)
	first := n.openFeed(t, "a")
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if err := unix.Dup2(int(null.Fd()), n.hub.poller.epoll); err != nil { // no epoll any more
		t.Fatal(err)
	}
	if _, err := first.Write([]byte("x")); err != nil { // ends the wait that is under way
		t.Fatal(err)
	}
	// By a reset, where the hub has not read that byte.
	if _, err := io.Copy(io.Discard, first); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the feed is not ended: %v", err)
	}
	eventually(t, "the feed to be gone", func() bool { return n.admissions.count() == 0 })
	if !strings.Contains(n.output.String(), "cannot be watched together") {
		t.Error("the log does not say so")
	}
	second := n.openFeed(t, "a")
	if _, err := n.broker.Publish(t.Context(), "a", streams.Draft{Data: []byte(`"after"`)}); err != nil {
		t.Fatal(err)
	}
	awaitText(t, second, `data: "after"`)
	second.Close()
	eventually(t, "the peer that hangs up to be heard", func() bool { return n.admissions.count() == 0 })
}

// openFeed opens a feed over SSE and returns its connection after the welcome.
func (n *node) openFeed(t *testing.T, channel string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(n.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, "GET /channels/"+channel+"/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
	awaitText(t, conn, "runnel.welcome")
	return conn
}

// awaitText reads until the text has come.
func awaitText(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	var seen strings.Builder
	for buffer := make([]byte, 4096); !strings.Contains(seen.String(), text); {
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatalf("%v after\n%s", err, &seen)
		}
		seen.Write(buffer[:n])
	}
}

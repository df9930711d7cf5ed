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

	"runnel/auth"
)

// A body that comes slower than BodyWait holds nothing for longer.
func TestSlowBodiesAreCut(t *testing.T) {
	n := startNode(t, func(c *Config, _ *auth.Config) {
		c.Limits = DefaultLimits()
		c.Limits.BodyWait = 50 * time.Millisecond
	})
	for _, token := range []string{testAPIKey, "nonsense"} { // read by the handler, and left unread
		conn, err := net.Dial("tcp", strings.TrimPrefix(n.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /channels/c/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: 10\r\n\r\n1", token)
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != 400 && resp.StatusCode != 401 {
			t.Errorf("status %d", resp.StatusCode)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("the connection was not closed: %v", err)
		}
	}
}

// TestDeadlinesAreTheRequestsOwn: what a request was given to be answered in
// does not count for the next one on its connection.
func TestDeadlinesAreTheRequestsOwn(t *testing.T) {
	n := startNode(t, demo, func(c *Config, _ *auth.Config) {
		c.Limits = DefaultLimits()
		c.Limits.AnswerWait = 300 * time.Millisecond
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(n.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(conn)
	for _, request := range []string{
		"GET /healthz", "OPTIONS /tickets", "GET /metrics", "GET /nothing", "GET /debug/pprof/trace?seconds=0.5",
		"GET /channels/a/events?last_event_id=earliest&wait=500ms", "GET /metrics",
	} {
		fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: localhost\r\n\r\n", request)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%s: %v", request, err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatalf("%s: %v", request, err)
		}
		time.Sleep(350 * time.Millisecond) // the deadline passes
	}
}

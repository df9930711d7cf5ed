package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// raw sends bytes as they are and returns the status of the answer.
func raw(t *testing.T, addr, request string) int {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, request)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.60q: %v", request, err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestHostileRequests: what no HTTP library sends is refused, and the hub goes
// on.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	post := "POST /channels/c/events HTTP/1.1\r\nHost: " + n.Addr + "\r\n"
	text := "Content-Type: text/plain\r\n"
	for name, c := range map[string]struct {
		request  string
		statuses []int
	}{
		"no host":                {"GET /events HTTP/1.1\r\n\r\n", []int{400}},
		"two lengths":            {post + text + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy", []int{400}},
		"length and chunks":      {post + text + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []int{400}},
		"a negative length":      {post + text + "Content-Length: -1\r\n\r\n", []int{400}},
		"a bad chunk":            {post + text + "Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n", []int{400}},
		"a header without name":  {post + ": x\r\n\r\n", []int{400}},
		"a header with NUL":      {post + "X-A: a\x00b\r\n\r\n", []int{400}},
		"a huge header":          {post + "X-A: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", []int{431}},
		"gzip":                   {post + text + "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", []int{415}},
		"a huge length":          {post + text + "Content-Length: 99999999999\r\n\r\n", []int{413}},
		"two idempotency keys":   {post + text + "Idempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: 1\r\n\r\nx", []int{400}},
		"an empty key":           {post + text + "Idempotency-Key:\r\nContent-Length: 1\r\n\r\nx", []int{400}},
		"a bad forwarded header": {"GET /healthz HTTP/1.1\r\nHost: " + n.Addr + "\r\nX-Forwarded-For: a,,\xff\r\n\r\n", []int{200, 400}},
		"a bad Last-Event-ID":    {"GET /channels/c/events HTTP/1.1\r\nHost: " + n.Addr + "\r\nAccept: text/event-stream\r\nLast-Event-ID: 1\xff2\r\n\r\n", []int{400}},
		"no HTTP":                {"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", []int{400}},
	} {
		if got := raw(t, n.Addr, c.request); !slices.Contains(c.statuses, got) {
			t.Errorf("%s: status %d, want %d", name, got, c.statuses)
		}
	}
	if got := payloads(n.history("c", "").Events); len(got) != 0 {
		t.Errorf("they published %q", got)
	}
}

// TestSlowLoris: who sends a header byte by byte is cut off, and holds up
// nobody meanwhile.
func TestSlowLoris(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	conn, err := net.Dial("tcp", n.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	fmt.Fprintf(conn, "GET /events HTTP/1.1\r\nHost: %s\r\nX-A: ", n.Addr)
	conn.SetReadDeadline(time.Now().Add(patience))
	end := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, conn)
		end <- err
	}()
	n.publish("c", "meanwhile")
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-end:
			if e, ok := err.(net.Error); ok && e.Timeout() {
				t.Fatal("a header that takes for ever is waited for")
			}
			if took := time.Since(began); took < 5*time.Second {
				t.Errorf("cut off after %v: a slow link is no attack", took)
			}
			return
		case <-tick.C:
			conn.Write([]byte("a"))
		}
	}
}

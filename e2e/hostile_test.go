package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
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

// TestAmbiguousRequestsEndTheirConnection: a proxy before the hub may have read
// another length than the hub does (RFC 9112 section 6.1), so what follows must
// not be taken for a request.
func TestAmbiguousRequestsEndTheirConnection(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--admin-listen", "127.0.0.1:0")
	admin := strings.TrimPrefix(n.adminURL(), "http://")
	const next = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
	const chunked = "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
	head := func(method, path, version string, more ...string) string {
		return method + " " + path + " HTTP/" + version + "\r\nHost: localhost\r\nContent-Type: text/plain\r\n" + strings.Join(more, "")
	}
	one := events("c")
	for name, c := range map[string]struct {
		addr, request string
		answers       int
	}{
		"a length":                            {n.Addr, head("POST", one, "1.1", "Content-Length: 2\r\n\r\nab"), 2},
		"a body that looks like both lengths": {n.Addr, head("POST", one, "1.1", "Content-Length: 46\r\n\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 2},
		"both lengths":                        {n.Addr, head("POST", one, "1.1", "Content-Length: 2\r\n", chunked), 1},
		"both, the other way round":           {n.Addr, head("POST", one, "1.1", "transfer-encoding:Chunked\r\nContent-Length: 12\r\n\r\n2\r\nab\r\n0\r\n\r\n"), 1},
		"both, to be kept alive":              {n.Addr, head("POST", one, "1.1", "Connection: keep-alive\r\nContent-Length: 2\r\n", chunked), 1},
		"both, the second on its connection":  {n.Addr, next + head("POST", one, "1.1", "Content-Length: 2\r\n", chunked), 2},
		"both, with a GET":                    {n.Addr, head("GET", "/healthz", "1.1", "Content-Length: 2\r\n", chunked), 1},
		"both, refused":                       {n.Addr, head("PUT", one, "1.1", "Content-Length: 2\r\n", chunked), 1},
		"both, with a batch":                  {n.Addr, head("POST", "/events", "1.1", "Content-Length: 2\r\n", chunked), 1},
		"both, for a page":                    {n.Addr, head("GET", "/", "1.1", "Accept: text/html\r\nContent-Length: 2\r\n", chunked), 1},
		"both, for nobody":                    {n.Addr, head("GET", "/nothing", "1.1", "Content-Length: 2\r\n", chunked), 1},
		"both, a preflight":                   {n.Addr, head("OPTIONS", one, "1.1", "Origin: http://localhost\r\nAccess-Control-Request-Method: POST\r\nContent-Length: 2\r\n", chunked), 1},
		"both, at the admin address":          {admin, head("GET", "/metrics", "1.1", "Content-Length: 2\r\n", chunked), 1},
		"chunks":                              {n.Addr, head("POST", one, "1.1", chunked), 1},
		"chunks to HTTP/1.0":                  {n.Addr, head("POST", one, "1.0", "Connection: keep-alive\r\n", chunked), 1},
		"a length to HTTP/1.0":                {n.Addr, head("POST", one, "1.0", "Connection: keep-alive\r\nContent-Length: 2\r\n\r\nab"), 1},
	} {
		all := c.request + "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
		for _, piece := range []int{len(all), 7} {
			if got := answersTo(t, c.addr, all, piece); got != c.answers {
				t.Errorf("%s, in pieces of %d: %d answers, want %d", name, piece, got, c.answers)
			}
		}
	}
	for _, text := range payloads(n.history("c", "").Events) {
		if text != "ab" && !strings.HasPrefix(text, "Content-Length") {
			t.Errorf("published was %q", text)
		}
	}
}

// answersTo sends bytes in pieces of that size and counts the answers, of which
// the last ends the connection.
func answersTo(t *testing.T, addr, requests string, piece int) (answers int) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	for part := range slices.Chunk([]byte(requests), piece) {
		conn.Write(part) // fails where the connection has ended
	}
	for r := bufio.NewReader(conn); ; answers++ {
		resp, err := http.ReadResponse(r, nil)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
		}
		switch {
		case os.IsTimeout(err) || err != nil && answers == 0:
			t.Fatalf("%.60q: %v", requests, err)
		case err != nil:
			return answers
		}
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

package faultproxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// hub is a target: /plain answers and ends, /stream writes a line and what the
// test sends, /echo upgrades and sends back every line.
func hub(t *testing.T, name string, lines <-chan string) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/plain", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, name, " ", r.Host) })
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		http.NewResponseController(w).Flush()
		for {
			select {
			case line, more := <-lines:
				if !more {
					return
				}
				io.WriteString(w, line)
				http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "before the cut")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		conn, both, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		for {
			line, err := both.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(conn, line)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func listenHTTP(t *testing.T, targets ...string) *HTTP {
	t.Helper()
	h, err := ListenHTTP(targets...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// request opens a connection of its own and returns it with the answer.
func request(t *testing.T, h *HTTP, path string, header ...string) (net.Conn, *bufio.Reader, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", h.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:9\r\n%s\r\n", path, strings.Join(header, ""))
	reader := bufio.NewReader(conn)
	answer, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn, reader, answer
}

func upgrade(t *testing.T, h *HTTP) (net.Conn, *bufio.Reader, int) {
	t.Helper()
	conn, reader, answer := request(t, h, "/echo", "Connection: Upgrade\r\n", "Upgrade: websocket\r\n")
	return conn, reader, answer.StatusCode
}

func body(t *testing.T, answer *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// silentFor fails when anything comes, or the connection ends, within a moment.
func silentFor(t *testing.T, conn net.Conn, r io.Reader) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(moment))
	var timeout net.Error
	if n, err := r.Read(make([]byte, 1)); n > 0 || !asTimeout(err, &timeout) {
		t.Fatalf("%d bytes came, %v", n, err)
	}
	conn.SetReadDeadline(time.Now().Add(patience))
}

func asTimeout(err error, into *net.Error) bool {
	e, ok := err.(net.Error)
	*into = e
	return ok && e.Timeout()
}

// A cut stays one: clients tell by it whether to come again.
func TestHTTPPassesACut(t *testing.T) {
	h := listenHTTP(t, hub(t, "a", nil))
	for name, rules := range map[string]Rules{"as it is": {}, "buffered": {Buffer: 1 << 20}} {
		h.SetRules(rules)
		_, _, answer := request(t, h, "/cut")
		if b, err := io.ReadAll(answer.Body); string(b) != "before the cut" || err != io.ErrUnexpectedEOF {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

func TestHTTPPasses(t *testing.T) {
	h := listenHTTP(t, hub(t, "a", nil), hub(t, "b", nil))
	for _, want := range []string{"a", "b", "a"} {
		_, _, answer := request(t, h, "/plain")
		if got := body(t, answer); got != want+" 127.0.0.1:9" {
			t.Errorf("got %q from %s", got, want)
		}
	}
	if _, err := ListenHTTP(); err == nil {
		t.Error("no target was accepted")
	}
}

func TestEveryRequestIsAnsweredWithTheStatus(t *testing.T) {
	h := listenHTTP(t, hub(t, "a", nil))
	h.SetRules(Rules{Status: http.StatusBadGateway})
	if _, _, answer := request(t, h, "/plain"); answer.StatusCode != http.StatusBadGateway {
		t.Error(answer.Status)
	}
	h.SetRules(Rules{})
	if _, _, answer := request(t, h, "/plain"); answer.StatusCode != http.StatusOK {
		t.Error(answer.Status)
	}
}

func TestUpgradesAreRefusedAndRequestsPass(t *testing.T) {
	h := listenHTTP(t, hub(t, "a", nil))
	for _, status := range []int{400, 403, 502} {
		h.SetRules(Rules{RefuseUpgrades: status})
		if _, _, got := upgrade(t, h); got != status {
			t.Errorf("%d instead of %d", got, status)
		}
		if _, _, answer := request(t, h, "/plain"); answer.StatusCode != http.StatusOK {
			t.Error(answer.Status)
		}
	}
}

func TestFramesAreSwallowed(t *testing.T) {
	h := listenHTTP(t, hub(t, "a", nil))
	conn, reader, status := upgrade(t, h)
	if status != http.StatusSwitchingProtocols {
		t.Fatal(status)
	}
	io.WriteString(conn, "one\n")
	if line, err := reader.ReadString('\n'); line != "one\n" {
		t.Fatal(line, err)
	}
	h.SetRules(Rules{SwallowFrames: true})
	io.WriteString(conn, "two\n")
	silentFor(t, conn, reader)

	// A new one opens and carries nothing; what lost bytes never carries again.
	fresh, freshReader, status := upgrade(t, h)
	if status != http.StatusSwitchingProtocols {
		t.Fatal(status)
	}
	io.WriteString(fresh, "three\n")
	silentFor(t, fresh, freshReader)
	h.SetRules(Rules{})
	io.WriteString(conn, "four\n")
	silentFor(t, conn, reader)
}

func TestUpgradedConnectionsAreCutAtAnAge(t *testing.T) {
	h := listenHTTP(t, hub(t, "a", nil))
	conn, reader, _ := upgrade(t, h)
	silentFor(t, conn, reader)
	h.SetRules(Rules{CutUpgraded: 2 * moment}) // counts from the handshake
	if _, err := reader.ReadByte(); err == nil || asTimeout(err, new(net.Error)) {
		t.Fatal(err)
	}
	if _, _, answer := request(t, h, "/plain"); answer.StatusCode != http.StatusOK {
		t.Error(answer.Status)
	}
}

func TestStreamsAreHeldAndRequestsPass(t *testing.T) {
	lines := make(chan string)
	h := listenHTTP(t, hub(t, "a", lines))
	h.SetRules(Rules{Buffer: 64 << 10})
	conn, reader, answer := request(t, h, "/stream")
	if answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status)
	}
	lines <- "data: 1\n\n"
	silentFor(t, conn, reader)
	if _, _, plain := request(t, h, "/plain"); body(t, plain) == "" {
		t.Error("an ordinary answer was held")
	}

	// What is full goes, as does what is held when the rule ends.
	large := strings.Repeat("x", 64<<10)
	lines <- large
	got := make([]byte, len("data: 1\n\n")+len(large))
	if _, err := io.ReadFull(answer.Body, got); err != nil || string(got) != "data: 1\n\n"+large {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	lines <- "data: 2\n\n"
	silentFor(t, conn, reader)
	h.SetRules(Rules{})
	got = got[:len("data: 2\n\n")]
	if _, err := io.ReadFull(answer.Body, got); err != nil || string(got) != "data: 2\n\n" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestWhatIsHeldGoesAtTheEnd(t *testing.T) {
	lines := make(chan string)
	h := listenHTTP(t, hub(t, "a", lines))
	h.SetRules(Rules{Buffer: maxHeld})
	_, _, answer := request(t, h, "/stream")
	lines <- "data: 1\n\n"
	close(lines)
	if got := body(t, answer); got != "data: 1\n\n" {
		t.Errorf("%q", got)
	}
}

// The network below can be dropped like that of any Proxy.
func TestHTTPOverADroppedNetwork(t *testing.T) {
	lines := make(chan string)
	h := listenHTTP(t, hub(t, "a", lines))
	conn, reader, answer := request(t, h, "/stream")
	h.Set(Faults{Refuse: true, Up: Lane{Swallow: true}, Down: Lane{Swallow: true}})
	lines <- "data: 1\n\n"
	silentFor(t, conn, reader)
	h.Set(Faults{})
	h.Reset()
	if _, err := answer.Body.Read(make([]byte, 1)); err == nil {
		t.Error("the stream goes on")
	}
}

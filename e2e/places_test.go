package e2e

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"runnel/hubtest"
)

// soon is how long a client may wait who has nothing to do with an attack: far
// less than any of the hub's time-outs that would let it in.
const soon = 5 * time.Second

// startWithFiles starts a hub that may have so many files open, and returns it
// with its admin address as a URL.
func startWithFiles(t *testing.T, files int, args ...string) (n *node, admin string) {
	t.Helper()
	script := filepath.Join(t.TempDir(), "runnel.sh")
	text := fmt.Sprintf("#!/bin/sh\nulimit -n %d\nexec '%s' \"$@\"\n", files, hubtest.Program)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	n = &node{hubtest.StartProgram(t, script, append([]string{"--admin-listen", "127.0.0.1:0"}, args...)...), t}
	return n, n.adminURL()
}

// dialFrom connects from that address of the loopback.
func dialFrom(from, to string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: soon}
	return d.Dial("tcp", to)
}

// getFrom asks from that address, on a connection of its own, and returns the
// status and the body.
func getFrom(from, url string) (int, string, error) {
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	transport.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext
	resp, err := (&http.Client{Transport: transport, Timeout: soon}).Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// hoard opens so many connections, from what from says, sends the same on each
// and keeps them. Those that cannot be opened or written to are left out.
func hoard(t *testing.T, n *node, count int, from func(int) string, sent string, answered bool) (held []net.Conn) {
	t.Helper()
	for i := range count {
		conn, err := dialFrom(from(i), n.Addr)
		if err != nil {
			continue
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := io.WriteString(conn, sent); err != nil {
			continue
		}
		if answered {
			conn.SetReadDeadline(time.Now().Add(soon))
			if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
				continue
			} else if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				continue
			}
		}
		held = append(held, conn)
	}
	return held
}

// open counts the connections that the hub has not closed.
func open(held []net.Conn) (n int) {
	for _, conn := range held {
		conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			n++
		}
	}
	return n
}

// servesOthers fails the test unless somebody else is served at once, and the
// operator too.
func (n *node) servesOthers(t *testing.T, admin string) {
	t.Helper()
	for _, url := range []string{n.URL + "/readyz", n.URL + "/readyz", admin + "/readyz", admin + "/metrics"} {
		if status, body, err := getFrom("127.0.0.3", url); err != nil || status != 200 {
			t.Errorf("somebody else gets from %s: %d %s, %v", url, status, body, err)
		}
	}
}

const (
	request    = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
	slowHeader = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
	slowBody   = "POST /channels/c/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nx"
	// halfHello is the beginning of a TLS record with a client's first message.
	halfHello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
)

// ways are how connections can be held without a right to anything.
var ways = map[string]struct {
	sent     string
	answered bool
}{
	"nothing sent": {}, "idle": {request, true}, "slow headers": {slowHeader, false},
	"slow bodies": {slowBody, false}, "half a TLS handshake": {halfHello, false},
}

// TestOneAddressDoesNotTakeAllFiles: it took 1,013 of 1,024 with idle
// connections, and the next client waited 74 s.
func TestOneAddressDoesNotTakeAllFiles(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := []string{"--max-connections-per-ip", "5"}
			if way.sent == halfHello {
				certFile, keyFile := hubtest.Certificate(t, t.TempDir(), "localhost")
				args = append(args, "--tls-cert", certFile, "--tls-key", keyFile)
			}
			n, admin := startWithFiles(t, 256, args...)
			held := hoard(t, n, 300, func(int) string { return "127.0.0.2" }, way.sent, way.answered)
			n.servesOthers(t, admin)
			within(t, "one address holds no more than 5 connections and 16", func() bool { return open(held) <= 21 })
			_, metrics, _ := getFrom("127.0.0.3", admin+"/metrics")
			if away := turnedAway(metrics); away["address"]+away["waiting"] < 300-21 || away["files"] != 0 {
				t.Errorf("the metrics say that connections were turned away: %v", away)
			}
		})
	}
}

// turnedAway reads how many connections were, by the reason.
func turnedAway(metrics string) map[string]int {
	by := map[string]int{}
	for _, m := range regexp.MustCompile(`runnel_connections_turned_away_total\{reason="(\w+)"\} (\d+)`).FindAllStringSubmatch(metrics, -1) {
		by[m[1]], _ = strconv.Atoi(m[2])
	}
	return by
}

// TestManyAddressesDoNotKeepOthersOut: where all files are held by those who
// wait, each of them within its limit, they go for who comes.
func TestManyAddressesDoNotKeepOthersOut(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"nothing sent", "idle", "slow headers"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, admin := startWithFiles(t, 256)
			way := ways[name]
			held := hoard(t, n, 400, func(i int) string { return fmt.Sprintf("127.0.%d.%d", 1+i/200, 1+i%200) }, way.sent, way.answered)
			n.servesOthers(t, admin)
			n.openFrom("127.0.0.3").welcome()
			if n := open(held); n > 256-48 {
				t.Errorf("%d connections are held with 256 files", n)
			}
		})
	}
}

// openFrom opens a feed from that address and reads the response's head.
func (n *node) openFrom(from string, headers ...string) *feed {
	n.t.Helper()
	conn, err := dialFrom(from, n.Addr)
	if err != nil {
		n.t.Fatal(err)
	}
	f, err := requestFeed(n.t, conn, "HTTP/1.1", events("c"), headers...)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(f.close)
	return f
}

// TestFeedsKeepTheirPlaces: when files are short, nobody who is served goes.
func TestFeedsKeepTheirPlaces(t *testing.T) {
	t.Parallel()
	n, admin := startWithFiles(t, 256)
	var feeds []*feed
	for i := range 20 {
		f := n.openFrom(fmt.Sprintf("127.0.2.%d", 1+i))
		f.welcome()
		feeds = append(feeds, f)
	}
	hoard(t, n, 300, func(i int) string { return fmt.Sprintf("127.0.%d.%d", 3+i/200, 1+i%200) }, slowHeader, false)
	n.servesOthers(t, admin)
	n.publish("c", "x")
	for _, f := range feeds {
		f.want("x")
	}
}

// TestProxiesAreNotLimitedAtAccept: their connections are many clients'; feeds
// of each of these are limited as ever.
func TestProxiesAreNotLimitedAtAccept(t *testing.T) {
	t.Parallel()
	n, _ := startWithFiles(t, 1024, "--max-connections-per-ip", "2", "--trust-proxy", "127.0.0.2/32")
	forwarded := func(client string) *feed { return n.openFrom("127.0.0.2", "X-Forwarded-For: "+client) }
	for i := range 60 {
		forwarded(fmt.Sprintf("192.0.2.%d", 1+i/2)).welcome()
	}
	wantRefusal(forwarded("192.0.2.1"), "connection_limit")
	idle := hoard(t, n, 60, func(int) string { return "127.0.0.2" }, request, true)
	if n := open(idle); n != 60 {
		t.Errorf("of 60 idle connections of the proxy %d are open", n)
	}
	others := hoard(t, n, 60, func(int) string { return "127.0.0.4" }, request, true)
	within(t, "an address that is no proxy holds no more than 2 connections and 16", func() bool { return open(others) <= 18 })
}

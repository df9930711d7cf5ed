package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"runnel/auth"
	"runnel/hubtest"
)

// served is a node behind Serve on a port of its own.
type served struct {
	*node
	address string
	stop    context.CancelFunc
	ended   chan error
}

func serve(t *testing.T, changes ...func(*Config, *auth.Config)) *served {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &served{node: startNode(t, changes...), address: ln.Addr().String(), stop: stop, ended: make(chan error, 1)}
	s.url = "http://" + s.address
	go func() { s.ended <- s.Serve(ctx, ln) }()
	t.Cleanup(func() { stop(); s.client.CloseIdleConnections() })
	return s
}

func (s *served) wait() {
	s.t.Helper()
	select {
	case err := <-s.ended:
		if err != nil {
			s.t.Fatal(err)
		}
	case <-time.After(patience):
		s.t.Fatal("Serve did not end")
	}
}

func TestServeDrains(t *testing.T) {
	s := serve(t)
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A publish under way: its body is half there.
	fmt.Fprintf(conn, "POST /channels/c/events HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nAuthorization: Bearer %s\r\nContent-Length: 4\r\n\r\nab", testAPIKey)
	eventually(t, "the node answers", func() bool { return s.send(request{method: "GET", path: "/readyz"}).StatusCode == http.StatusOK })
	s.stop()
	eventually(t, "not ready", func() bool {
		resp, err := s.client.Get(s.url + "/healthz")
		if err == nil {
			resp.Body.Close()
		}
		return s.draining() && err != nil // it no longer listens
	})
	fmt.Fprint(conn, "cd")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusCreated || !resp.Close {
		t.Fatalf("%v, %+v", err, resp)
	}
	s.wait()
	if events := s.stored("c"); len(events) != 1 || string(events[0].Data) != "abcd" {
		t.Errorf("stored %+v", events)
	}
}

func TestReadyFailsAtOnceWhenDraining(t *testing.T) {
	n := startNode(t)
	eventually(t, "ready", func() bool { return n.send(request{method: "GET", path: "/readyz"}).StatusCode == http.StatusOK })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	n.hub.drain(ctx, 0)
	r := n.send(request{method: "GET", path: "/readyz"})
	var got health
	decodeAll(t, r.body, &got)
	if r.StatusCode != http.StatusServiceUnavailable || got.Status != "draining" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if r := n.publish("/channels/c/events", asJSON, "1"); r.StatusCode != http.StatusCreated {
		t.Errorf("a publish meanwhile: %d %s", r.StatusCode, r.body)
	}
}

func TestServeSaysWhyItCannot(t *testing.T) {
	n := startNode(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := n.Serve(context.Background(), ln); err == nil {
		t.Error("served on a closed listener")
	}
}

func TestServeAdmin(t *testing.T) {
	n := startNode(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.ServeAdmin(ctx, ln) }()
	n.url = "http://" + ln.Addr().String()
	if r := n.send(request{method: "GET", path: "/metrics"}); r.StatusCode != http.StatusOK {
		t.Errorf("%d", r.StatusCode)
	}
	n.client.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A header that never ends, and one that is too long, end their connection.
func TestSlowAndLongHeaders(t *testing.T) {
	s := serve(t, func(c *Config, _ *auth.Config) {
		c.Limits = DefaultLimits()
		c.Limits.HeaderWait = 50 * time.Millisecond
	})
	for _, head := range []string{"GET / HTTP/1.1\r\nHost: x\r\n", "", "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 64<<10)} {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		io.WriteString(conn, head) // may fail when the hub has closed already
		if _, err := io.ReadAll(conn); os.IsTimeout(err) {
			t.Errorf("%.30q… keeps its connection", head)
		}
	}
	s.stop()
	s.wait()
}

// writeCertificate writes a certificate of that age.
func writeCertificate(t *testing.T, dir, name string, modified time.Time) (certFile, keyFile string) {
	t.Helper()
	certFile, keyFile = hubtest.Certificate(t, dir, name)
	for _, file := range []string{certFile, keyFile} {
		if err := os.Chtimes(file, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestTLSIsHTTP2AndFollowsItsFiles(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	certFile, keyFile := writeCertificate(t, dir, "first", old)
	s := serve(t, func(c *Config, _ *auth.Config) { c.TLSCert, c.TLSKey = certFile, keyFile })
	s.certificate.mu.Lock()
	s.certificate.watched = 0
	s.certificate.mu.Unlock()
	name := func() string {
		conn, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if got := name(); got != "first" {
		t.Fatal(got)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	resp, err := (&http.Client{Transport: transport}).Get("https://" + s.address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.ProtoMajor != 2 {
		t.Errorf("%s over TLS", resp.Proto)
	}

	if err := os.WriteFile(certFile, []byte("half a renewal"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := name(); got != "first" {
		t.Errorf("with a broken file: %s", got)
	}
	writeCertificate(t, dir, "second", old.Add(time.Minute))
	if got := name(); got != "second" {
		t.Errorf("after the renewal: %s", got)
	}
	transport.CloseIdleConnections()
	s.stop()
	s.wait()
}

func TestTLSFilesAreCheckedAtStart(t *testing.T) {
	n := startNode(t)
	for _, c := range []Config{{TLSCert: "nowhere.pem", TLSKey: "nowhere.pem"}, {TLSCert: "serve_test.go", TLSKey: "serve_test.go"}, {TLSCert: "serve_test.go"}} {
		c.Broker, c.Verifier = n.broker, n.verifier
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), "TLS") {
			t.Errorf("%+v: %v", c.TLSCert, err)
		}
	}
}

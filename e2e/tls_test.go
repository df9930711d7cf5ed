package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"runnel/hubtest"
)

// TestTLS: HTTP/2, where a browser has all its feeds on one connection; a
// certificate that is replaced is served without a restart.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := hubtest.Certificate(t, dir, "first")
	n := launch(t, nil, "--tls-cert", certFile, "--tls-key", keyFile)
	if !strings.HasPrefix(n.URL, "https://") {
		t.Fatalf("the hub's URL is %s", n.URL)
	}
	var dials atomic.Int32
	dialer := &net.Dialer{}
	client := &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true,
		// The tests' own certificate, which changes on the way.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials.Add(1)
			return dialer.DialContext(ctx, network, addr)
		},
	}}
	defer client.CloseIdleConnections()
	get := func(path, accept string) *http.Response {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
		t.Cleanup(cancel)
		req, _ := http.NewRequestWithContext(ctx, "GET", n.URL+path, nil)
		req.Header.Set("Accept", accept)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	within(t, "the node is ready", func() bool { return get("/readyz", "*/*").StatusCode == 200 })
	var lines []*bufio.Reader
	for range 20 {
		resp := get(events("c"), "text/event-stream")
		if resp.ProtoMajor != 2 || resp.StatusCode != 200 {
			t.Fatalf("%s, status %d", resp.Proto, resp.StatusCode)
		}
		lines = append(lines, bufio.NewReader(resp.Body))
		awaitLine(t, lines[len(lines)-1], "event: runnel.welcome")
	}
	if n := dials.Load(); n != 1 {
		t.Errorf("20 feeds have %d connections", n)
	}
	post, err := client.Post(n.URL+events("c"), "text/plain", strings.NewReader("over HTTP/2"))
	if err != nil || post.StatusCode != 201 {
		t.Fatalf("%v, %v", post, err)
	}
	post.Body.Close()
	for _, r := range lines {
		awaitLine(t, r, "data: over HTTP/2")
	}

	hubtest.Certificate(t, dir, "second")
	within(t, "the new certificate is served", func() bool {
		conn, err := tls.Dial("tcp", n.Addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			return false // between the two files
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName == "second"
	})
	conn, err := tls.Dial("tcp", n.Addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s := newSocket(t, conn)
	if a, err := s.handshake("/channels/c/ws?rewind=1", nil); err != nil || a.status != 101 {
		t.Fatalf("status %d, %v", a.status, err)
	}
	s.want("welcome")
	s.want("subscribed")
	s.wantEvents("over HTTP/2")
}

func awaitLine(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("before %q the stream ends: %v", want, err)
		}
		if strings.TrimSuffix(line, "\n") == want {
			return
		}
	}
}

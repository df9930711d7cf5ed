package server

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"runnel/auth"
	"runnel/hubtest"
	"runnel/streams"
)

// slowLink moves a few KiB at a time, so many bytes a second.
type slowLink struct{ *net.TCPConn }

const slowRate = 100_000

func (l slowLink) Read(b []byte) (n int, err error) {
	n, err = l.TCPConn.Read(b[:min(len(b), 4<<10)])
	time.Sleep(time.Duration(n) * time.Second / slowRate)
	return n, err
}

// thinListener accepts connections that hold little on the way, as one over a
// slow link does.
type thinListener struct{ net.Listener }

func (l thinListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		err = conn.(*net.TCPConn).SetWriteBuffer(16 << 10)
	}
	return conn, err
}

// TestSlowLinkThatMoves: a peer that takes some of a large event all the time is
// not silent, however long the whole of it takes, and whatever is in between.
func TestSlowLinkThatMoves(t *testing.T) {
	cert, key := hubtest.Certificate(t, t.TempDir(), "slow")
	for _, kind := range []string{"plain", "http/1.1", "h2"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			n := startNode(t, demo, func(c *Config, _ *auth.Config) {
				c.Pace = Pace{Heartbeat: 500 * time.Millisecond, Ping: 500 * time.Millisecond, Silence: 2 * time.Second}
				c.Limits = DefaultLimits()
				c.Limits.Data = 1 << 20
				if kind != "plain" {
					c.TLSCert, c.TLSKey = cert, key
				}
			})
			data := strings.Repeat("x", 3*slowRate)
			if _, err := n.broker.Publish(t.Context(), "c", streams.Draft{Text: true, Data: []byte(data)}); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(slowFeed(t, n, kind, "/channels/c/events?rewind=1"))
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					t.Fatalf("cut by %d peers that vanished: %v", n.hub.vanished.Load(), err)
				}
				if line == "data: "+data+"\n" {
					break
				}
			}
			eventually(t, "the delivery counts", func() bool { return n.hub.delivered() == 1 })
		})
	}
}

// slowFeed opens a feed over a slow link.
func slowFeed(t *testing.T, n *node, kind, path string) io.Reader {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Serve(ctx, thinListener{ln}) }()
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		tcp := conn.(*net.TCPConn)
		return slowLink{tcp}, tcp.SetReadBuffer(16 << 10)
	}
	transport := &http.Transport{DialContext: dial, ForceAttemptHTTP2: kind == "h2", TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(func() { transport.CloseIdleConnections(); stop(); <-ended })
	scheme := map[string]string{"plain": "http"}[kind]
	req, err := http.NewRequestWithContext(ctx, "GET", cmp.Or(scheme, "https")+"://"+ln.Addr().String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if h2 := resp.ProtoMajor == 2; resp.StatusCode != http.StatusOK || h2 != (kind == "h2") {
		t.Fatalf("%s, status %d", resp.Proto, resp.StatusCode)
	}
	return resp.Body
}

package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"testing"
)

// BenchmarkOutlet is one write to each of a hundred sockets in turn, as an
// event makes it, whose peers throw away what comes: over TCP, whose sockets
// the hub takes from Go's runtime, and over TLS, which it leaves to crypto/tls.
func BenchmarkOutlet(b *testing.B) {
	secure := httptest.NewUnstartedServer(nil)
	secure.StartTLS()
	b.Cleanup(secure.Close)
	h := newHub(Pace{Heartbeat: 1e12, Ping: 1e12, Silence: 1e12}, slog.New(slog.DiscardHandler), nil)
	b.Cleanup(h.close)
	for _, size := range []int{300, 8 << 10} {
		b.Run(fmt.Sprintf("tcp/%d", size), func(b *testing.B) { benchmarkOutlet(b, h, size, nil, nil) })
		b.Run(fmt.Sprintf("tls/%d", size), func(b *testing.B) {
			roots := x509.NewCertPool()
			roots.AddCert(secure.Certificate())
			benchmarkOutlet(b, h, size, secure.TLS, &tls.Config{RootCAs: roots, ServerName: "example.com"})
		})
	}
}

func benchmarkOutlet(b *testing.B, h *hub, size int, server, client *tls.Config) {
	var outlets []outlet
	for range 100 {
		o, _ := h.takeOver(discarded(b, server, client))
		b.Cleanup(o.close)
		outlets = append(outlets, o)
	}
	event := bytes.Repeat([]byte{'x'}, size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		switch o := outlets[i%len(outlets)].(type) {
		case readyOutlet:
			if n, err := o.tryWrite(event); err != nil {
				b.Fatalf("%d, %v", n, err)
			}
		case waitingOutlet:
			if err := o.write(event); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// discarded returns a connection whose peer reads and forgets: of TLS it makes
// the handshake, and decrypts nothing.
func discarded(b *testing.B, server, client *tls.Config) net.Conn {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	peer, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { peer.Close() })
	conn, err := listener.Accept()
	if err != nil {
		b.Fatal(err)
	}
	if server != nil {
		secured := tls.Server(conn, server)
		conn = secured
		shaken := make(chan error, 1)
		go func() { shaken <- secured.Handshake() }()
		if err := tls.Client(peer, client).Handshake(); err != nil {
			b.Fatal(err)
		}
		if err := <-shaken; err != nil {
			b.Fatal(err)
		}
	}
	go io.Copy(io.Discard, peer)
	return conn
}

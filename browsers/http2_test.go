package browsers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Over HTTP/2 a page may have more feeds than the six connections that
// browsers allow per host: they share one.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	cert, key := selfSigned(t)
	hub := startNode(t, "--tls-cert", cert, "--tls-key", key)
	proxy := proxied(t, hub)
	p := &publisher{t: t, url: hub.url, channel: "shared"}
	c := cast(t)
	var pages []*page
	for i := range 20 {
		page := c.open(t, c.browsers[0], "eventsource", view{hub: "https://" + proxy.Addr(), channels: []string{p.channel}})
		if i == 0 {
			page.awaitLive() // from then on Chromium knows that the hub speaks HTTP/2
		}
		pages = append(pages, page)
	}
	for _, page := range pages {
		page.awaitLive()
	}
	// Chromium opens a second one where the first handshake takes its time.
	if open := proxy.Stats().Open; open > 2 {
		t.Errorf("20 feeds have %d connections", open)
	}
	p.publish(50)
	awaitAll(pages, p)
	proxy.Cut()
	p.publish(50)
	awaitAll(pages, p)
	settled(pages)
}

// selfSigned makes a certificate for the loopback, and returns its files.
func selfSigned(t testing.TB) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return writePEM(t, dir, "CERTIFICATE", public), writePEM(t, dir, "PRIVATE KEY", secret)
}

func writePEM(t testing.TB, dir, kind string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, kind[:4]+".pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

package browsers

import (
	"crypto/tls"
	"net/http"
	"testing"

	"runnel/faultproxy"
	"runnel/hubtest"
)

// patience is how long a test waits for what has to happen.
const patience = hubtest.Patience

// web is the tests' own client. It believes certificates that the tests made.
var web = &http.Client{Timeout: patience, Transport: &http.Transport{
	MaxIdleConnsPerHost: 8,
	TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
}}

// proxied puts a proxy before the node, which the test ends.
func proxied(t testing.TB, n *hubtest.Node) *faultproxy.Proxy {
	t.Helper()
	p, err := faultproxy.Listen(n.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// within polls until the condition holds.
func within(t testing.TB, what string, holds func() bool) {
	t.Helper()
	hubtest.Within(t, what, holds)
}

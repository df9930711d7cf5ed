package browsers

import (
	"crypto/tls"
	"net/http"
	"testing"
	"time"

	"runnel/faultproxy"
	"runnel/hubtest"
)

// patience is how long a test waits for what has to happen: far longer than it
// takes on a loaded machine, as only a failing test waits so long.
const patience = 60 * time.Second

// web is the tests' own client. It believes certificates that the tests made.
var web = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{
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
	hubtest.Within(t, patience, what, holds)
}

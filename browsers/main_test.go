// Package browsers drives the built program with real browsers: a native
// EventSource and a native WebSocket, in Chromium and in Firefox, live and
// after everything that can come between a page and the hub.
//
// A browser runs one page of the tests' own, the driver, which opens further
// pages in frames as the tests ask for and reports to them what those saw. So
// no remote control stands between the tests and what a page sees. The demo
// page alone is looked at with Chromium's DevTools protocol.
package browsers

import (
	"flag"
	"os"
	"testing"

	"runnel/hubtest"
)

func TestMain(m *testing.M) {
	// The tests wait for what browsers do in their own time, a second or two
	// before they connect again, and hardly need the processors meanwhile;
	// -parallel says otherwise.
	flag.Set("test.parallel", "8")
	os.Exit(hubtest.Main(m, func() {
		closeBrowsers()
		web.CloseIdleConnections()
	}))
}

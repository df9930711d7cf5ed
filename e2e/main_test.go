// Package e2e drives the built program over the wire, as its users do. It is
// written against docs/protocol.md and shares no code with the hub: the reader
// of event streams and the WebSocket client are its own.
package e2e

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"

	"runnel/hubtest"
)

func TestMain(m *testing.M) {
	// The tests mostly wait for their hubs, so four times as many as there are
	// cores; -parallel says otherwise.
	flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0)))
	os.Exit(hubtest.Main(m, web.CloseIdleConnections))
}

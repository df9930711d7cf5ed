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
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// program is the path of the program that all tests start.
var program string

var built = flag.String("program", "", "test this program instead of building one")

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait for what browsers do in their own time, a second or two
	// before they connect again, and hardly need the processors meanwhile.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		flag.Set("test.parallel", "8")
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	program = *built
	if program == "" {
		dir, err := os.MkdirTemp("", "runnel-browsers-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "runnel")
		build := exec.Command("go", "build", "-race", "-o", program, "runnel")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "the program does not build:", err)
			return 1
		}
	}
	return runTests(m)
}

// runTests fails when a test has left a goroutine behind, or a browser cannot
// be ended.
func runTests(m *testing.M) int {
	code := m.Run()
	closeBrowsers()
	web.CloseIdleConnections()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

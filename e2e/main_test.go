// Package e2e drives the built program over the wire, as its users do. It is
// written against docs/protocol.md and shares no code with the hub: the reader
// of event streams and the WebSocket client are its own.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

// program is the path of the program that all tests start.
var program string

var built = flag.String("program", "", "test this program instead of building one")

func TestMain(m *testing.M) {
	// The tests mostly wait for their hubs, so twice as many as there are
	// cores; -parallel says otherwise.
	flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if *built != "" {
		program = *built
		return runTests(m)
	}
	dir, err := os.MkdirTemp("", "runnel-e2e-")
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
	return runTests(m)
}

// runTests fails when a test has left a goroutine behind.
func runTests(m *testing.M) int {
	code := m.Run()
	web.CloseIdleConnections()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

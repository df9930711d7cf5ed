package hubtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// Program is the path of the program that all hubs run. Main sets it.
var Program string

// raceOptions are the program's: at its end it waits 100 ms, not a second, for
// data races that are just being told. Tests end some hundred of them.
const raceOptions = "GORACE=atexit_sleep_ms=100"

// Main builds the program with the race detector, or takes the one that the
// environment's HUBTEST_PROGRAM names, which several folders then share, and
// runs the tests. At the end, which is for what a folder's tests share, no
// goroutine may be left. It returns the exit code.
func Main(m *testing.M, end func()) int {
	if Program = os.Getenv("HUBTEST_PROGRAM"); Program == "" {
		dir, err := os.MkdirTemp("", "runnel-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if Program, err = Build(dir, "-race"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	code := m.Run()
	end()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// Build builds the program into a directory, with flags of go build, and
// returns its path.
func Build(dir string, flags ...string) (program string, err error) {
	program = filepath.Join(dir, "runnel")
	build := exec.Command("go", append(append([]string{"build", "-o", program}, flags...), "runnel")...)
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the program does not build: %w\n%s", err, output)
	}
	return program, nil
}

// Token makes a JWT with the program's own command, for that secret and with
// its flags ("--sub", "ann").
func Token(t testing.TB, secret string, flags ...string) string {
	t.Helper()
	token := exec.Command(Program, append([]string{"token", "--jwt-secret", secret}, flags...)...)
	token.Env = append(os.Environ(), raceOptions)
	out, err := token.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		t.Fatalf("runnel token: %v\n%s", err, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

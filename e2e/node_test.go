package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what has to happen: far longer than it
// takes on a loaded machine, as only a failing test waits so long.
const patience = 30 * time.Second

// node is a running hub of a test's own. Its methods are for one goroutine.
type node struct {
	t    testing.TB
	args []string
	env  []string
	url  string // http://127.0.0.1:PORT; the same after a restart
	addr string // 127.0.0.1:PORT
	name string

	cmd    *exec.Cmd
	stderr *output
	ended  chan struct{}
}

// greeting is the first line that the hub prints.
var greeting = regexp.MustCompile(`^runnel .* listens on (https?)://([0-9.]+:[0-9]+), node ([A-Za-z0-9-]+)`)

// startNode starts the hub on a free port of the loopback and returns when it
// is ready. The test ends it, and fails if it raced, panicked, or did not end
// as it should.
func startNode(t testing.TB, args ...string) *node {
	t.Helper()
	return startNodeEnv(t, nil, args...)
}

// startNodeEnv is startNode with something in the hub's environment.
func startNodeEnv(t testing.TB, env []string, args ...string) *node {
	t.Helper()
	n := launch(t, env, args...)
	n.awaitReady()
	return n
}

// launch is startNodeEnv for a hub that need not get ready.
func launch(t testing.TB, env []string, args ...string) *node {
	t.Helper()
	n := &node{t: t, args: append([]string{"--drain", "100ms"}, args...), env: env, stderr: &output{}}
	t.Cleanup(n.finish)
	n.start("127.0.0.1:0")
	return n
}

func (n *node) start(listen string) {
	n.t.Helper()
	n.cmd = exec.Command(program, append([]string{"--listen", listen}, n.args...)...)
	n.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "GORACE=halt_on_error=0"}, n.env...)
	n.cmd.Stderr = n.stderr
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.ended = make(chan struct{})
	first := make(chan string, 1)
	go func(cmd *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		r := bufio.NewReader(stdout)
		line, _ := r.ReadString('\n')
		first <- line
		io.Copy(io.Discard, r)
		cmd.Wait()
	}(n.cmd, n.ended)
	select {
	case line := <-first:
		m := greeting.FindStringSubmatch(line)
		if m == nil {
			n.t.Fatalf("the hub's first line is %q\n%s", line, n.stderr)
		}
		if n.addr == "" { // a restart leaves it to those who read it meanwhile
			n.url, n.addr = m[1]+"://"+m[2], m[2]
		}
		n.name = m[3]
	case <-time.After(patience):
		n.t.Fatalf("the hub says nothing\n%s", n.stderr)
	}
}

// awaitReady waits until /readyz says 200.
func (n *node) awaitReady() {
	n.t.Helper()
	within(n.t, "the node is ready", func() bool { return n.ready() == http.StatusOK })
}

// ready is the status of /readyz, 0 when nobody answers.
func (n *node) ready() int {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", n.url+"/readyz", nil)
	if err != nil {
		n.t.Fatal(err)
	}
	resp, err := web.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func (n *node) signal(s syscall.Signal) {
	n.t.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		n.t.Fatal(err)
	}
}

// kill ends the hub as kill -9 does.
func (n *node) kill() {
	n.t.Helper()
	n.signal(syscall.SIGKILL)
	n.awaitEnd()
	n.cmd = nil
}

// stop ends the hub as its operator does; it has to exit with 0.
func (n *node) stop() {
	n.t.Helper()
	n.signal(syscall.SIGTERM)
	n.awaitEnd()
	n.wantExit(0)
	n.cmd = nil
}

func (n *node) wantExit(want int) {
	n.t.Helper()
	if code := n.cmd.ProcessState.ExitCode(); code != want {
		n.t.Errorf("the hub ends with exit code %d, want %d", code, want)
	}
}

// restart starts the hub again at the same address, after kill or stop.
func (n *node) restart() {
	n.t.Helper()
	n.start(n.addr)
	n.awaitReady()
}

func (n *node) awaitEnd() {
	n.t.Helper()
	select {
	case <-n.ended:
	case <-time.After(patience):
		n.cmd.Process.Signal(syscall.SIGQUIT) // its goroutines go to stderr
		select {
		case <-n.ended:
		case <-time.After(5 * time.Second):
			n.cmd.Process.Kill()
			<-n.ended
		}
		n.t.Errorf("the hub does not end\n%s", n.stderr)
	}
}

// finish ends what the test left running.
func (n *node) finish() {
	if n.cmd != nil && n.cmd.Process != nil {
		n.cmd.Process.Signal(syscall.SIGTERM) // one that has crashed is found by its exit code
		n.awaitEnd()
		n.wantExit(0)
	}
	said := n.stderr.String()
	for _, bad := range []string{"DATA RACE", "panic", "goroutine "} {
		if strings.Contains(said, bad) {
			n.t.Errorf("the hub's log has %q", bad)
		}
	}
	if n.t.Failed() {
		n.t.Logf("the log of node %s:\n%s", n.name, said)
	}
}

// output collects what a program writes; also while it is read.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// within polls until the condition holds.
func within(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// token makes a JWT with the program's own command.
func token(t testing.TB, secret string, args ...string) string {
	t.Helper()
	out, err := exec.Command(program, append([]string{"token", "--jwt-secret", secret}, args...)...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("runnel token: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// parse reads JSON that the hub wrote.
func parse[T any](t testing.TB, b []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v: %q", err, b)
	}
	return v
}

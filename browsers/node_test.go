package browsers

import (
	"bufio"
	"bytes"
	"crypto/tls"
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

	"runnel/faultproxy"
)

// patience is how long a test waits for what has to happen: far longer than it
// takes on a loaded machine, as only a failing test waits so long.
const patience = 60 * time.Second

// web is the tests' own client. It believes certificates that the tests made.
var web = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{
	MaxIdleConnsPerHost: 8,
	TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
}}

// node is a running hub. Its methods are for one goroutine.
type node struct {
	t      testing.TB
	args   []string
	addr   string // 127.0.0.1:PORT; the same after a restart
	url    string
	cmd    *exec.Cmd // nil while it does not run
	stderr *output
	ended  chan struct{}
}

var greeting = regexp.MustCompile(`^runnel .* listens on (https?)://([0-9.]+:[0-9]+), node `)

// startNode starts the hub on a free port and returns when it is ready. The
// test ends it.
func startNode(t testing.TB, args ...string) *node {
	t.Helper()
	n := &node{t: t, args: append([]string{"--drain", "100ms"}, args...), stderr: &output{}}
	t.Cleanup(n.finish)
	n.start("127.0.0.1:0")
	n.awaitReady()
	return n
}

func (n *node) start(listen string) {
	n.t.Helper()
	n.cmd = exec.Command(program, append([]string{"--listen", listen}, n.args...)...)
	n.cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
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
		n.addr, n.url = m[2], m[1]+"://"+m[2]
	case <-time.After(patience):
		n.t.Fatalf("the hub says nothing\n%s", n.stderr)
	}
}

func (n *node) awaitReady() {
	n.t.Helper()
	within(n.t, "the node is ready", func() bool {
		resp, err := web.Get(n.url + "/readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		io.Copy(io.Discard, resp.Body)
		return resp.StatusCode == http.StatusOK
	})
}

// kill ends the hub as kill -9 does.
func (n *node) kill() {
	n.t.Helper()
	n.signal(syscall.SIGKILL)
	n.awaitEnd()
}

// stop ends the hub as its operator does; it has to exit with 0.
func (n *node) stop() {
	n.t.Helper()
	n.signal(syscall.SIGTERM)
	n.awaitExit()
}

// awaitExit waits for a hub that was told to end.
func (n *node) awaitExit() {
	n.t.Helper()
	cmd := n.cmd
	n.awaitEnd()
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		n.t.Errorf("the hub ends with exit code %d", code)
	}
}

func (n *node) signal(s syscall.Signal) {
	n.t.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) awaitEnd() {
	n.t.Helper()
	select {
	case <-n.ended:
	case <-time.After(patience):
		n.cmd.Process.Kill()
		<-n.ended
		n.t.Errorf("the hub does not end\n%s", n.stderr)
	}
	n.cmd = nil
}

// restart starts the hub again at the same address.
func (n *node) restart() {
	n.t.Helper()
	n.start(n.addr)
	n.awaitReady()
}

func (n *node) finish() {
	if n.cmd != nil && n.cmd.Process != nil {
		n.stop()
	}
	for _, bad := range []string{"DATA RACE", "panic"} {
		if strings.Contains(n.stderr.String(), bad) {
			n.t.Errorf("the hub's log has %q", bad)
		}
	}
	if n.t.Failed() {
		n.t.Logf("the log of the node at %s:\n%s", n.addr, n.stderr)
	}
}

// proxied puts a proxy before the node, which the test ends.
func proxied(t testing.TB, n *node) *faultproxy.Proxy {
	t.Helper()
	p, err := faultproxy.Listen(n.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
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
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}

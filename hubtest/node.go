package hubtest

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Node is a running hub of a test's own. Its methods are for the test's
// goroutine; Addr and URL may be read by others meanwhile.
type Node struct {
	Addr string // host:port; the same after a restart
	URL  string // http://host:port, or https
	Name string // of the process that was started last

	t       testing.TB
	program string
	args    []string
	env     []string
	log     Output

	cmd   *exec.Cmd     // nil once its end was seen
	told  bool          // to end; told once more it would not drain
	ended chan struct{} // closed when the process is gone
}

// greeting is the first line that the hub prints.
var greeting = regexp.MustCompile(`^runnel .* listens on (https?)://([0-9.]+:[0-9]+), node ([A-Za-z0-9-]+)`)

// Start starts a hub on a free port of the loopback and returns when it is
// ready. Of the arguments the last of a kind counts, so that --listen and
// --drain (100ms here) can be others. The test's end stops the hub; the test
// fails if it raced, panicked, or did not end as it should.
func Start(t testing.TB, args ...string) *Node {
	t.Helper()
	n := Launch(t, nil, args...)
	n.AwaitReady()
	return n
}

// StartProgram is Start for another build of the program.
func StartProgram(t testing.TB, program string, args ...string) *Node {
	t.Helper()
	n := launch(t, program, nil, args)
	n.AwaitReady()
	return n
}

// Launch is Start for a hub that need not get ready, with something more in
// its environment ("RUNNEL_API_KEY=…"), which otherwise has PATH alone.
func Launch(t testing.TB, env []string, args ...string) *Node {
	t.Helper()
	return launch(t, Program, env, args)
}

func launch(t testing.TB, program string, env, args []string) *Node {
	t.Helper()
	n := &Node{t: t, program: program, env: env, args: append([]string{"--listen", "127.0.0.1:0", "--drain", "100ms"}, args...)}
	t.Cleanup(n.finish)
	n.start()
	return n
}

func (n *Node) start() {
	n.t.Helper()
	n.cmd = exec.Command(n.program, n.args...)
	n.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), raceOptions}, n.env...)
	n.cmd.Stderr = &n.log
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.told, n.ended = false, make(chan struct{})
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
		n.greeted(line)
	case <-time.After(Patience):
		n.t.Fatal("the hub says nothing")
	}
}

func (n *Node) greeted(line string) {
	n.t.Helper()
	m := greeting.FindStringSubmatch(line)
	if m == nil {
		n.t.Fatalf("the hub's first line is %q", line)
	}
	n.Name = m[3]
	if n.Addr == "" { // a restart leaves it to those who read it meanwhile
		n.URL, n.Addr = m[1]+"://"+m[2], m[2]
		n.args = append(n.args, "--listen", n.Addr)
	}
}

// asking is for Ready alone. It believes certificates that tests made, and
// keeps no connection: what a hub counts is the test's.
var asking = http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
	DisableKeepAlives: true,
	TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
}}

// Ready is the status of /readyz, 0 when nobody answers.
func (n *Node) Ready() int {
	resp, err := asking.Get(n.URL + "/readyz")
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// AwaitReady waits until /readyz says 200.
func (n *Node) AwaitReady() {
	n.t.Helper()
	Within(n.t, "the node is ready", func() bool { return n.Ready() == http.StatusOK })
}

// Log is what the hub has written to stderr, over all its restarts.
func (n *Node) Log() string { return n.log.String() }

// Pid is the number of the process that was started last.
func (n *Node) Pid() int { return n.cmd.Process.Pid }

// Signal sends the hub a signal. SIGTERM is followed by AwaitExit, or by the
// test's end.
func (n *Node) Signal(s syscall.Signal) {
	n.t.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		n.t.Fatal(err)
	}
	n.told = n.told || s == syscall.SIGTERM
}

// Ended is closed when the process that was started last is gone.
func (n *Node) Ended() <-chan struct{} { return n.ended }

// Kill ends the hub as kill -9 does.
func (n *Node) Kill() {
	n.t.Helper()
	n.Signal(syscall.SIGKILL)
	n.awaitEnd()
}

// Stop ends the hub as its operator does; it has to exit with 0.
func (n *Node) Stop() {
	n.t.Helper()
	n.Signal(syscall.SIGTERM)
	n.AwaitExit()
}

// AwaitExit waits for the end of a hub that was told to end; it has to exit
// with 0.
func (n *Node) AwaitExit() {
	n.t.Helper()
	cmd := n.cmd
	n.awaitEnd()
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		n.t.Errorf("the hub ends with exit code %d, want 0", code)
	}
}

// Restart starts the hub again at the same address, after Kill, Stop or
// AwaitExit, and returns when it is ready.
func (n *Node) Restart() {
	n.t.Helper()
	n.start()
	n.AwaitReady()
}

func (n *Node) awaitEnd() {
	n.t.Helper()
	process := n.cmd.Process
	n.cmd = nil
	select {
	case <-n.ended:
		return
	case <-time.After(Patience):
	}
	n.t.Error("the hub does not end")
	process.Signal(syscall.SIGQUIT) // its goroutines go to the log
	select {
	case <-n.ended:
	case <-time.After(Patience):
		process.Kill()
		<-n.ended
	}
}

// finish ends what the test left running, and looks at what the hub said.
func (n *Node) finish() {
	if n.cmd != nil && n.cmd.Process != nil {
		if !n.told {
			n.cmd.Process.Signal(syscall.SIGTERM) // one that is gone has crashed, as its exit code says
		}
		n.AwaitExit()
	}
	said := n.Log()
	for _, bad := range []string{"DATA RACE", "panic", "goroutine "} {
		if strings.Contains(said, bad) {
			n.t.Errorf("the hub's log has %q", bad)
		}
	}
	if n.t.Failed() {
		n.t.Logf("the log of node %s:\n%s", n.Name, said)
	}
}

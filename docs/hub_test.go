package docs

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// hub is a running program of a test's own.
type hub struct {
	t    testing.TB
	args []string
	url  string // http://127.0.0.1:PORT; the same after a restart
	addr string
	node string

	cmd    *exec.Cmd
	stderr *output
	ended  chan struct{}
}

var greeting = regexp.MustCompile(`^runnel .* listens on (http://([0-9.]+:[0-9]+)), node ([A-Za-z0-9-]+)`)

// startHub starts the hub on a free port of the loopback. The test ends it.
func startHub(t testing.TB, args ...string) *hub {
	t.Helper()
	h := &hub{t: t, args: append([]string{"--drain", "100ms"}, args...), stderr: &output{}}
	t.Cleanup(func() {
		h.stop()
		if t.Failed() {
			t.Logf("the log of node %s:\n%s", h.node, h.stderr)
		}
	})
	h.start("127.0.0.1:0")
	return h
}

func (h *hub) start(listen string) {
	h.t.Helper()
	h.cmd = exec.Command(program, append([]string{"--listen", listen}, h.args...)...)
	h.cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	h.cmd.Stderr = h.stderr
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	first := make(chan string, 1)
	h.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		r := bufio.NewReader(stdout)
		line, _ := r.ReadString('\n')
		first <- line
		io.Copy(io.Discard, r)
		cmd.Wait()
	}(h.cmd, h.ended)
	line := <-first // also at its end
	m := greeting.FindStringSubmatch(line)
	if m == nil {
		h.t.Fatalf("the hub's first line is %q\n%s", line, h.stderr)
	}
	h.url, h.addr, h.node = m[1], m[2], m[3]
}

// awaitReady waits until the hub may be sent clients.
func (h *hub) awaitReady() {
	h.t.Helper()
	within(h.t, "the hub is ready", func() bool {
		resp, err := web.Get(h.url + "/readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		io.Copy(io.Discard, resp.Body)
		return resp.StatusCode == http.StatusOK
	})
}

// interrupt asks the hub to end, as its operator does.
func (h *hub) interrupt() { h.cmd.Process.Signal(syscall.SIGTERM) }

// kill ends the hub as kill -9 does.
func (h *hub) kill() {
	h.cmd.Process.Kill()
	<-h.ended
}

// stop ends the hub and waits for it.
func (h *hub) stop() {
	if h.ended == nil {
		return
	}
	h.interrupt()
	select {
	case <-h.ended:
	case <-time.After(patience):
		h.kill()
		h.t.Errorf("the hub does not end\n%s", h.stderr)
	}
}

func (h *hub) restart() {
	h.t.Helper()
	h.stop()
	h.start(h.addr)
	h.awaitReady()
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

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"runnel/hubtest"
	"runnel/streams/streamstest"
)

// tool is one of the program's other commands while it runs.
type tool struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr *hubtest.Output
}

// startTool starts a command; a test that is over kills what still runs.
func startTool(t *testing.T, args ...string) *tool {
	t.Helper()
	c := &tool{t: t, cmd: exec.Command(hubtest.Program, args...), stderr: &hubtest.Output{}}
	c.cmd.Stderr = c.stderr
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdout = bufio.NewReader(stdout)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// One that hangs must not hang the tests.
	overdue := time.AfterFunc(3*patience, func() { c.cmd.Process.Kill() })
	t.Cleanup(func() {
		overdue.Stop()
		c.cmd.Process.Kill()
		c.cmd.Wait()
		if said := c.stderr.String(); strings.Contains(said, "DATA RACE") || t.Failed() {
			t.Errorf("runnel %s says:\n%s", args[0], said)
		}
	})
	return c
}

// wantEnd waits for the command's end, after all of its output was read.
func (c *tool) wantEnd() {
	c.t.Helper()
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("the command ends with %v", err)
	}
}

// TestLinesThroughRestarts: lines go through `runnel publish` to one node and
// come out of `runnel subscribe` on the other, once each and in order, while
// both nodes are killed and started again.
func TestLinesThroughRestarts(t *testing.T) {
	t.Parallel()
	redis := streamstest.StartRedis(t)
	a, b := startNode(t, "--store", redis.URL()), startNode(t, "--store", redis.URL())
	const count = 1000
	subscribe := startTool(t, "subscribe", "vmstat", "--json", "--url", b.URL, "--last-event-id", "earliest", "--count", fmt.Sprint(count))
	publish := startTool(t, "publish", "vmstat", "--url", a.URL)
	written := make(chan error, 1)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := 1; i <= count; i++ {
			<-tick.C
			if _, err := fmt.Fprintf(publish.stdin, "%2d  0      0 6182412 %d   0   0  12\n", i, i*17); err != nil {
				written <- err
				return
			}
		}
		written <- publish.stdin.Close()
	}()
	lines := make(chan string, count)
	go func() {
		defer close(lines)
		for {
			line, err := subscribe.stdout.ReadString('\n')
			if err != nil {
				return
			}
			lines <- line
		}
	}()
	for i := range 4 {
		n := []*node{a, b}[i%2]
		holdFor(400 * time.Millisecond)
		n.Kill()
		n.Restart()
	}
	if err := <-written; err != nil {
		t.Fatalf("writing to runnel publish: %v", err)
	}
	io.Copy(io.Discard, publish.stdout)
	publish.wantEnd()
	got := 0
	for line := range lines {
		got++
		e := parse[envelope](t, []byte(line))
		if want := fmt.Sprintf("%2d  0      0 6182412 %d   0   0  12", got, got*17); e.Text == nil || *e.Text != want {
			t.Fatalf("line %d comes as %s", got, line)
		}
		if !strings.HasSuffix(e.ID, fmt.Sprintf("-%d", got)) {
			t.Fatalf("line %d has the ID %s: something was published twice", got, e.ID)
		}
	}
	subscribe.wantEnd()
	if got != count {
		t.Errorf("%d lines of %d came", got, count)
	}
}

// TestCurl follows a feed as everybody tries it first, and again from the last
// ID that it printed.
func TestCurl(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	follow := func(headers ...string) (*bufio.Reader, func()) {
		t.Helper()
		args := []string{"-sN", "-m", "60", "-H", "Accept: text/event-stream", n.URL + events("c")}
		for _, h := range headers {
			args = append(args, "-H", h)
		}
		cmd := exec.Command("curl", args...)
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return bufio.NewReader(stdout), func() { cmd.Process.Kill(); cmd.Wait() }
	}
	out, stop := follow()
	awaitLine(t, out, "event: runnel.welcome")
	posted, err := exec.Command("curl", "-sf", n.URL+events("c"), "-H", "Content-Type: text/plain", "-d", "by curl").Output()
	if err != nil {
		t.Fatalf("curl: %v", err)
	}
	id := *parse[published](t, posted).ID
	awaitLine(t, out, "data: by curl")
	awaitLine(t, out, "id: "+id)
	stop()
	n.publish("c", "meanwhile")
	out, stop = follow("Last-Event-ID: " + id)
	defer stop()
	awaitLine(t, out, "data: meanwhile")
	n.publish("c", "live")
	awaitLine(t, out, "data: live")
	plain, err := exec.Command("curl", "-sf", n.URL+events("c")).Output()
	if err != nil || len(parse[page](t, plain).Events) != 3 {
		t.Errorf("curl without an Accept of its own has %s, %v", plain, err)
	}
}

// TestPublishSaysWhatATypeIs: the rule stands in what the command says.
func TestPublishSaysWhatATypeIs(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	for _, kind := range []string{" a", "a\u202eb"} {
		out, err := exec.Command(hubtest.Program, "publish", "c", "x", "--url", n.URL, "--event", kind).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "without white space at its ends") {
			t.Errorf("--event %q: %v, %s", kind, err, out)
		}
	}
}

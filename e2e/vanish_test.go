package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"runnel/hubtest"
)

// away is a host of the test's own, behind a cable that can be pulled: a
// network namespace and a veth pair.
type away struct {
	t          *testing.T
	name, veth string
	hub        string // the address at the hub's end
}

// newAway needs root: anybody else may not make a namespace.
func newAway(t *testing.T) *away {
	if os.Geteuid() != 0 {
		t.Skip("network namespaces are root's to make")
	}
	id := os.Getpid() % 100000
	a := &away{t: t, name: fmt.Sprintf("runnel%d", id), veth: fmt.Sprintf("rn%d", id), hub: "10.231.77.1"}
	t.Cleanup(func() {
		exec.Command("ip", "link", "del", a.veth).Run()
		exec.Command("ip", "netns", "del", a.name).Run()
	})
	a.ip("netns", "add", a.name)
	a.ip("link", "add", a.veth, "type", "veth", "peer", "name", "eth0", "netns", a.name)
	a.ip("addr", "add", a.hub+"/24", "dev", a.veth)
	a.ip("link", "set", a.veth, "up")
	a.ip("-n", a.name, "addr", "add", "10.231.77.2/24", "dev", "eth0")
	a.ip("-n", a.name, "link", "set", "eth0", "up")
	return a
}

func (a *away) ip(args ...string) {
	a.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		a.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// run starts a command on that host; the test's end kills it.
func (a *away) run(args ...string) *hubtest.Output {
	a.t.Helper()
	out := &hubtest.Output{}
	cmd := exec.Command("ip", append([]string{"netns", "exec", a.name}, args...)...)
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return out
}

// TestVanishedPeerIsClosed: when the cable is pulled nothing more comes from a
// peer, no FIN and no acknowledgement, and the kernel takes heartbeats for it
// for minutes. The hub gives up after the silence it is set to, not before.
func TestVanishedPeerIsClosed(t *testing.T) {
	far := newAway(t)
	n := startNodeEnv(t, []string{"RUNNEL_API_KEY=" + apiKey, "RUNNEL_JWT_SECRET=" + secret},
		"--listen", far.hub+":0", "--heartbeat", "1s", "--silence", "4s")
	token := sign(t, secret, map[string]any{"sub": "bob", "exp": time.Now().Add(time.Hour).Unix(), "runnel": map[string]any{"subscribe": []string{"**"}}})
	feed := far.run("curl", "-sN", "-H", "Accept: text/event-stream", n.URL+"/channels/a/events?access_token="+token)
	within(t, "a heartbeat arrives", func() bool { return strings.Contains(feed.String(), "runnel.heartbeat") })
	far.ip("link", "set", far.veth, "down")
	pulled := time.Now()
	within(t, "the hub gives up", func() bool { return n.connections() == 0 })
	if took := time.Since(pulled); took < 2*time.Second {
		t.Errorf("given up after %v, before the silence was over", took)
	}
}

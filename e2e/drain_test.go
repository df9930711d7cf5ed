package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"runnel/hubtest"
)

// TestDrain: told to end, the hub fails its readiness at once, sends everybody
// elsewhere over a while, finishes what is under way, and exits with 0.
func TestDrain(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--drain", "6s", "--store", "bolt:"+filepath.Join(t.TempDir(), "runnel.db"))
	position := n.publish("c", "first")
	var feeds []*feed
	for range 6 {
		feeds = append(feeds, n.subscribe(events("c")))
	}
	s, _ := n.subscribeSocket("c", "")
	polled := make(chan answer, 1)
	go func() {
		a, _ := try("GET", n.URL+events("c")+"?wait=50s&last_event_id="+position, "")
		polled <- a
	}()
	within(t, "the poll waits", func() bool { return n.connections() == 8 })
	half := halfPublish(t, n, "c", "under ", "way")

	n.Signal(syscall.SIGTERM)
	began := time.Now()
	ends := make(chan time.Duration, len(feeds))
	for _, f := range feeds {
		go func() {
			var last block
			b, err := f.next()
			for ; err == nil; b, err = f.next() {
				last = b
			}
			if err != f.cut || last.event != "runnel.draining" || last.data != fmt.Sprintf(`{"retry":%d}`, last.retry) || last.hasID {
				t.Errorf("a feed ends with %+v, %v", last, err)
			}
			ends <- time.Since(began)
		}()
	}
	within(t, "the node is not ready", func() bool { return n.Ready() == http.StatusServiceUnavailable })
	for _, path := range []string{events("c"), "/events?channel=c"} {
		if r := wantRefusal(openFeed(t, n.Addr, path, "Last-Event-ID: "+position), "unavailable"); r.id != position {
			t.Errorf("the given position was %q, the block's ID is %q", position, r.id)
		}
		path, _, _ = strings.Cut(path, "?")
		if r := wantRefusal(openFeed(t, n.Addr, path+"?channel=c&after=c/"+position), "unavailable"); r.id != position {
			t.Errorf("the position given by after= was %q, the block's ID is %q", position, r.id)
		}
	}
	openSocket(t, n.Addr, "/ws?channel=c").wantCloseAfterWelcome(1001)
	if status := half(); status != 201 {
		t.Errorf("the publish under way: status %d", status)
	}
	s.wantClose(1001)
	var took []time.Duration
	for range feeds {
		took = append(took, <-ends)
	}
	slices.Sort(took)
	if spread := took[len(took)-1] - took[0]; spread < time.Second {
		t.Errorf("the feeds end after %v", took)
	}
	if a := <-polled; a.status != 200 || len(parse[page](t, a.body).Events) > 1 {
		t.Errorf("the poll is answered with %d: %s", a.status, a.body)
	}
	n.AwaitExit()
	if took := time.Since(began); took > patience {
		t.Errorf("the hub ends after %v", took)
	}
	n.Restart()
	if got := payloads(n.history("c", "").Events); !slices.Equal(got, []string{"first", "under way"}) {
		t.Errorf("the history is %q", got)
	}
}

// halfPublish sends a publish but for its last bytes; finish sends them and
// returns the status.
func halfPublish(t *testing.T, n *node, channel, one, two string) (finish func() int) {
	t.Helper()
	conn, err := net.Dial("tcp", n.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		events(channel), n.Addr, len(one)+len(two))
	r := bufio.NewReader(conn)
	// The hub asks for the body: it is working on the request.
	if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err)
	}
	r.ReadString('\n')
	io.WriteString(conn, one)
	return func() int {
		io.WriteString(conn, two)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Errorf("the publish under way: %v", err)
			return 0
		}
		resp.Body.Close()
		return resp.StatusCode
	}
}

// TestHangUp: keys are rotated without dropping those who keep their rights.
func TestHangUp(t *testing.T) {
	t.Parallel()
	const older = "an older secret of the tests, long enough for HS256"
	file := filepath.Join(t.TempDir(), "runnel.yaml")
	configure := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure(fmt.Sprintf("jwt_secret: [%q, %q]\n", secret, older))
	n := startNode(t, "--config", file)
	kept := "Authorization: Bearer " + hubtest.Token(t, secret, "--sub", "ann", "--subscribe", "c", "--publish", "c")
	gone := "Authorization: Bearer " + hubtest.Token(t, older, "--sub", "bob", "--subscribe", "c", "--publish", "c")
	stays, goes := n.subscribe(events("c"), kept), n.subscribe(events("c"), gone)
	socketStays, _ := n.subscribeSocket("c", "", kept)
	socketGoes, _ := n.subscribeSocket("c", "", gone)

	configure("jwt_secret: [ \n")
	n.Signal(syscall.SIGHUP)
	within(t, "the hub says that the file is wrong", func() bool { return strings.Contains(n.Log(), "not reloaded") })
	n.publish("c", "still", gone)
	goes.want("still")
	stays.want("still")

	configure(fmt.Sprintf("jwt_secret: [%q]\norigin: [\"https://app.example.com\"]\n", secret))
	n.Signal(syscall.SIGHUP)
	goes.ends()
	for _, m := range socketGoes.wantClose(4001) {
		if m.Type != "event" && m.Type != "error" {
			t.Errorf("before the close comes %s", m.raw)
		}
	}
	wantError(t, n.post("c", "", "x", asText, gone), 401, "unauthorized")
	a := n.post("c", "", "after", asText, kept, "Origin: https://app.example.com")
	n.published(a)
	wantCORS(t, a, "https://app.example.com")
	stays.want("after")
	socketStays.wantEvents("still", "after")
}

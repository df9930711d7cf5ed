package server

import (
	"bufio"
	"io"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"runnel/auth"
	"runnel/streams"
)

// TestCutAndComplete: curl's exit code says of a feed that is to be opened again
// that it was cut, and of one that is over for good that it is complete. To
// HTTP/1.0 both end with the connection.
func TestCutAndComplete(t *testing.T) {
	const complete, cut, reset = 0, 18, 92
	for _, c := range []struct {
		name string
		why  *apiError // nil: it is refused for now
		says string
		code int
	}{
		{"drained", errDraining, `runnel.draining`, cut},
		{"expired", errExpired, `"unauthorized"`, cut},
		{"revoked", errRevoked, `"unauthorized"`, cut},
		{"refused", nil, `"connection_limit"`, cut},
		{"forbidden", fault(codeForbidden, "not any more"), `"forbidden"`, complete},
	} {
		for way, code := range map[string]int{"--http1.1": c.code, "--http1.0": complete, "--http2": c.code} {
			if way == "--http2" && code == cut {
				code = reset
			}
			t.Run(c.name+" "+way, func(t *testing.T) {
				t.Parallel()
				n := startNode(t, demo, func(c *Config, _ *auth.Config) {
					c.Limits = DefaultLimits()
					c.Limits.Connections = 1
				})
				if c.why == nil {
					n.admissions.enter(netip.Prefix{})
				}
				curl := startCurl(t, n, way)
				if c.why != nil {
					curl.await("event: runnel.welcome\n")
					n.endFeeds(c.why)
				}
				rest, exit := curl.end()
				if !strings.Contains(rest, c.says) || !strings.HasSuffix(rest, "\n\n") {
					t.Errorf("it ends with %q", rest)
				}
				if exit != code {
					t.Errorf("curl ends with %d, want %d", exit, code)
				}
			})
		}
	}
}

// endFeeds closes all feeds.
func (n *node) endFeeds(why *apiError) {
	n.hub.mu.Lock()
	feeds := n.hub.list()
	n.hub.mu.Unlock()
	for _, f := range feeds {
		f.close(why)
	}
}

// curl reads a feed.
type curl struct {
	t   *testing.T
	cmd *exec.Cmd
	out *bufio.Reader
}

// startCurl starts curl at the feed of channel c, over TLS where HTTP/2 is.
func startCurl(t *testing.T, n *node, way string) *curl {
	t.Helper()
	url := n.url
	if way == "--http2" {
		secure := httptest.NewUnstartedServer(n.Handler())
		secure.EnableHTTP2 = true
		secure.StartTLS()
		t.Cleanup(secure.Close)
		url = secure.URL
	}
	c := &curl{t: t, cmd: exec.Command("curl", "-skN", "-m", "30", way, "-H", "Accept: text/event-stream", url+"/channels/c/events")}
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	return c
}

// await reads up to a line.
func (c *curl) await(line string) {
	c.t.Helper()
	for {
		got, err := c.out.ReadString('\n')
		if err != nil {
			c.t.Fatalf("curl brings no %q: %v", line, err)
		}
		if got == line {
			return
		}
	}
}

// end returns what curl still brings, and its exit code.
func (c *curl) end() (rest string, exit int) {
	c.t.Helper()
	b, err := io.ReadAll(c.out)
	if err != nil {
		c.t.Fatal(err)
	}
	_ = c.cmd.Wait() // an exit code other than 0 is an error here
	return string(b), c.cmd.ProcessState.ExitCode()
}

// TestRefusalSaysWhereToStart: the id of what a client gets instead of a feed is
// the position that it gave, in whatever way, so that it goes on from there
// where it comes again with that alone or to the same URL.
func TestRefusalSaysWhereToStart(t *testing.T) {
	cursor := func(positions ...string) string {
		var c streams.Cursor
		for i := 0; i < len(positions); i += 2 {
			id, err := streams.ParseID(positions[i+1])
			if err != nil {
				t.Fatal(err)
			}
			c.Set(positions[i], id)
		}
		return c.String()
	}
	const a, both = "/channels/a/events?", "/events?channel=a&channel=b"
	n := startNode(t, demo)
	n.hub.drain(t.Context(), 0)
	for _, c := range []struct{ path, header, id string }{
		{a, "", ""},
		{a + "since=10m", "", ""},
		{a + "rewind=5", "", ""},
		{a, "5-5", "5-5"},
		{a + "last_event_id=5-5", "", "5-5"},
		{a + "last_event_id=earliest", "", "earliest"},
		{a + "last_event_id=" + cursor("a", "5-5"), "", cursor("a", "5-5")},
		{a + "after=a/5-5", "", "5-5"},
		{a + "after=a/earliest", "", "earliest"},
		{a + "after=a/5-5&last_event_id=4-4", "", "5-5"},
		{a + "after=b/5-5&last_event_id=4-4", "", "4-4"},
		{a + "after=a/5-5", "6-6", "6-6"},
		{both + "&after=a/5-5", "", cursor("a", "5-5")},
		{both + "&after=a/5-5&after=b/6-6", "", cursor("a", "5-5", "b", "6-6")},
		{both + "&after=a/5-5&last_event_id=" + cursor("a", "4-4", "b", "6-6"), "", cursor("a", "5-5", "b", "6-6")},
		{both + "&after=a/5-5", cursor("a", "7-7", "b", "6-6"), cursor("a", "7-7", "b", "6-6")},
		{both + "&after=a/earliest", "", ""},
		{both + "&after=a/earliest&after=b/6-6", "", cursor("b", "6-6")},
		{both + "&after=a/5-5&last_event_id=earliest", "", ""},
		{both + "&after=a/5-5&since=10m", "", cursor("a", "5-5")},
	} {
		header := []string{"Accept: text/event-stream"}
		if c.header != "" {
			header = append(header, "Last-Event-ID: "+c.header)
		}
		blocks := parseSSE(n.cut(request{method: "GET", path: c.path, header: header}))
		if len(blocks) != 1 || blocks[0].event != "runnel.error" || blocks[0].id != c.id {
			t.Errorf("%s, header %q: %+v, want the ID %q", c.path, c.header, blocks, c.id)
		}
	}
}

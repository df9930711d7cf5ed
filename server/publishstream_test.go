package server

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"runnel/auth"
)

// publisher is a publish stream under way.
type publisher struct {
	t       testing.TB
	lines   *io.PipeWriter
	results *bufio.Reader
}

func (n *node) publisher(token string) *publisher {
	n.t.Helper()
	return n.publisherAt(n.client, n.url, token)
}

func (n *node) publisherAt(client *http.Client, url, token string) *publisher {
	n.t.Helper()
	body, lines := io.Pipe()
	req, err := http.NewRequestWithContext(n.t.Context(), "POST", url+"/events?stream=true", body)
	if err != nil {
		n.t.Fatal(err)
	}
	req.Header.Set("Content-Type", asNDJSON)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		n.t.Fatal(resp.Status)
	}
	n.t.Cleanup(func() { lines.Close(); resp.Body.Close() })
	return &publisher{n.t, lines, bufio.NewReader(resp.Body)}
}

func (p *publisher) say(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.lines, text); err != nil {
		p.t.Fatal(err)
	}
}

// hear returns the next line that is not blank, "" at the end.
func (p *publisher) hear() string {
	p.t.Helper()
	for {
		line, err := p.results.ReadString('\n')
		if err == io.EOF && line == "" {
			return ""
		}
		if err != nil {
			p.t.Fatal(line, err)
		}
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
}

func (p *publisher) result() (r result) {
	p.t.Helper()
	if err := json.Unmarshal([]byte(p.hear()), &r); err != nil {
		p.t.Fatal(err)
	}
	return r
}

// Each line is answered while the next is not there yet.
func TestPublishStreamAnswersEachLine(t *testing.T) {
	n := startNode(t)
	p := n.publisher(n.token(auth.Claims{Subject: "alice", Publish: patterns(t, "a")}))
	for _, c := range []struct{ line, want string }{
		{`{"channel":"a","data":1}` + "\n", "id"},
		{"\n\r\n" + `{"channel":"a","text":"x","idempotency_key":"k"}` + "\r\n", "id"},
		{`{"channel":"a","text":"x","idempotency_key":"k"}` + "\n", "id"},
		{`{"channel":"a","data":1,"ephemeral":true}` + "\n", "null"},
		{`{"channel":"b","data":1}` + "\n", codeForbidden},
		{`{"channel":"a","data":` + "\n", codeBadRequest},
		{`{"channel":"a","data":1}{}` + "\n", codeBadRequest},
		{"\xff\n", codeBadRequest},
		{`{"channel":"a","text":"` + strings.Repeat("x", 65<<10) + `"}` + "\n", codeTooLarge},
		{`{"channel":"a","text":"` + strings.Repeat("x", 1<<20) + `"}` + "\n", codeTooLarge},
		{strings.Repeat(" ", 1<<20) + `{"channel":"a","data":2}` + "\n", codeTooLarge},
		{strings.Repeat(" ", 100<<10) + `{"channel":"a","data":2}` + "\n", "id"},
	} {
		p.say(c.line)
		if got := outcomesOf([]result{p.result()}); got != c.want {
			t.Errorf("%.60q is answered %s, want %s", c.line, got, c.want)
		}
	}
	p.say(`{"channel":"a","data":"the last has no line's end"}`)
	p.lines.Close()
	if got := outcomesOf([]result{p.result()}); got != "id" || p.hear() != "" {
		t.Errorf("the last line is answered %s", got)
	}
	if events := n.stored("a"); len(events) != 4 {
		t.Errorf("%d events were stored", len(events))
	}
}

// However many lines come at once, results keep their order.
func TestPublishStreamKeepsTheOrder(t *testing.T) {
	n := startNode(t)
	p := n.publisher(testAPIKey)
	const lines = 5000
	go func() {
		for i := range lines {
			fmt.Fprintf(p.lines, `{"channel":"c%d","data":%d}`+"\n", i%7, i)
		}
		p.lines.Close()
	}()
	ids := map[string]bool{}
	for i := range lines {
		r := p.result()
		if r.ID == nil || ids[string(*r.ID)+fmt.Sprint(i%7)] {
			t.Fatalf("line %d: %+v", i, r)
		}
		ids[string(*r.ID)+fmt.Sprint(i%7)] = true
	}
	for i := range 7 {
		at := i
		for _, e := range n.stored(fmt.Sprint("c", i)) {
			if string(e.Data) != fmt.Sprint(at) {
				t.Fatalf("c%d has %s where %d belongs", i, e.Data, at)
			}
			at += 7
		}
	}
}

// ends checks that the hub ends the stream, and says that nothing more was
// published.
func (p *publisher) ends(code string) {
	p.t.Helper()
	var last struct {
		End struct{ Error struct{ Code string } }
	}
	if err := json.Unmarshal([]byte(p.hear()), &last); err != nil || last.End.Error.Code != code {
		p.t.Errorf("the end says %+v, %v; want %s", last, err, code)
	}
	if more := p.hear(); more != "" {
		p.t.Errorf("%q follows the end", more)
	}
}

func TestPublishStreamEnds(t *testing.T) {
	t.Run("drain", func(t *testing.T) {
		n := startNode(t)
		p := n.publisher(testAPIKey)
		p.say(`{"channel":"a","data":1}` + "\n")
		if p.result().ID == nil {
			t.Error("not published")
		}
		n.hub.drain(t.Context(), 0)
		p.ends(codeUnavailable)
		if open := n.open.publish.Load(); open != 0 {
			t.Errorf("%d streams are open", open)
		}
	})
	t.Run("expiry", func(t *testing.T) {
		n := startNode(t)
		token, err := n.auth.Sign(&auth.Claims{Subject: "alice", Publish: patterns(t, "a")}, 3*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		n.publisher(token).ends(codeUnauthorized)
	})
}

// A publisher that goes on beyond its rate is ended, as over a WebSocket.
func TestPublishStreamBeyondTheRate(t *testing.T) {
	n := startNode(t)
	p := n.publisher(n.token(auth.Claims{Subject: "alice", Publish: patterns(t, "a")}))
	const lines = 3 * intakeItems
	go func() { io.WriteString(p.lines, strings.Repeat(`{"channel":"a","data":1}`+"\n", lines)) }()
	published, refused := 0, 0
	for line := p.hear(); ; line = p.hear() {
		switch {
		case strings.HasPrefix(line, `{"id":`):
			published++
			continue
		case strings.HasPrefix(line, `{"error":{"code":"rate_limited"`):
			refused++
			continue
		case !strings.HasPrefix(line, `{"end":{"error":{"code":"rate_limited"`):
			t.Errorf("the end says %q", line)
		}
		break
	}
	limits := DefaultLimits()
	if published < limits.MessageBurst-1 || refused < limits.MessageRefusals || published+refused >= lines {
		t.Errorf("%d published, %d refused of %d", published, refused, lines)
	}
}

// A line that is begun has to come to its end; the next may take its time.
func TestPublishStreamLineUnfinished(t *testing.T) {
	n := startNode(t, func(c *Config, _ *auth.Config) {
		c.Limits = DefaultLimits()
		c.Limits.BodyWait = 100 * time.Millisecond
	})
	p := n.publisher(testAPIKey)
	p.say(`{"channel":"a","data":1}` + "\n")
	if p.result().ID == nil {
		t.Error("not published")
	}
	time.Sleep(300 * time.Millisecond) // more than a line has, but none is begun
	p.say(`{"channel":"a","data":1}` + "\n" + `{"channel":`)
	if p.result().ID == nil {
		t.Error("not published")
	}
	p.ends(codeBadRequest)
}

// Over HTTP/2 a deadline resets a stream that nothing is written to as well.
func TestPublishStreamHTTP2(t *testing.T) {
	n := startNode(t, func(c *Config, _ *auth.Config) {
		c.Limits = DefaultLimits()
		c.Limits.AnswerWait = 100 * time.Millisecond
	})
	web := httptest.NewUnstartedServer(n.Handler())
	web.EnableHTTP2 = true
	web.StartTLS()
	defer web.Close()
	p := n.publisherAt(web.Client(), web.URL, testAPIKey)
	for range 2 {
		time.Sleep(300 * time.Millisecond) // more than an answer has to be taken in
		p.say(`{"channel":"a","data":1}` + "\n")
		if p.result().ID == nil {
			t.Error("not published")
		}
	}
	p.lines.Close()
	if more := p.hear(); more != "" {
		t.Errorf("%q", more)
	}
}

// Who does not read the results is cut, and holds nothing any more.
func TestPublishStreamUnread(t *testing.T) {
	n := startNode(t, func(c *Config, _ *auth.Config) {
		c.Limits = DefaultLimits()
		c.Limits.AnswerWait = 100 * time.Millisecond
	})
	p := n.publisher(testAPIKey)
	for err := error(nil); err == nil; {
		_, err = io.WriteString(p.lines, strings.Repeat("x\n", intakeBuffer))
	}
	eventually(t, "the stream is over", func() bool { return n.open.publish.Load() == 0 })
}

// A body that is cut in the middle of a line publishes what came whole.
func TestPublishStreamIsCut(t *testing.T) {
	n := startNode(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(n.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	line := `{"channel":"a","data":1}` + "\n"
	fmt.Fprintf(conn, "POST /events?stream=true HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nAuthorization: Bearer %s\r\nContent-Length: 1000\r\n\r\n%s%s",
		asNDJSON, testAPIKey, line, line[:len(line)-1])
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.HasPrefix(string(body), `{"id":`) || !strings.Contains(string(body), "\n"+`{"end":{"error":{"code":"bad_request"`) {
		t.Errorf("%q, %v", body, err)
	}
	if events := n.stored("a"); len(events) != 1 {
		t.Errorf("%d events were stored", len(events))
	}
}

// What is no publish stream is refused before anything is read.
func TestPublishStreamRefused(t *testing.T) {
	n := startNode(t, func(c *Config, _ *auth.Config) {
		c.Limits = DefaultLimits()
		c.Limits.ConnectionsPerUser = 1
	})
	alice := n.token(auth.Claims{Subject: "alice", Publish: patterns(t, "a")})
	open := n.publisher(alice)
	for _, c := range []struct {
		query, kind, token string
		want               int
	}{
		{"stream=true", asJSON, testAPIKey, http.StatusUnsupportedMediaType},
		{"stream=yes", asNDJSON, testAPIKey, http.StatusBadRequest},
		{"stream=true", asNDJSON, "nobody's", http.StatusUnauthorized},
		{"stream=true", asNDJSON, alice, http.StatusTooManyRequests},
		{"stream=false", asNDJSON, alice, http.StatusOK},
	} {
		if r := n.send(request{method: "POST", path: "/events?" + c.query, kind: c.kind, token: c.token}); r.StatusCode != c.want {
			t.Errorf("%s %s: %d %s", c.query, c.kind, r.StatusCode, r.body)
		}
	}
	zipped := request{method: "POST", path: "/events?stream=true", kind: asNDJSON, token: testAPIKey, header: []string{"Content-Encoding: gzip"}}
	if r := n.send(zipped); r.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("a compressed body: %d %s", r.StatusCode, r.body)
	}
	open.lines.Close()
	if more := open.hear(); more != "" {
		t.Errorf("%q", more)
	}
}

package docs

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"runnel/hubtest"
	"runnel/streams/streamstest"
)

// cluster is two nodes on one Redis behind nginx with the README's configuration.
type cluster struct {
	t     *testing.T
	nodes map[string]*hubtest.Node // by name
	addr  string                   // of nginx
	token string
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	store := streamstest.StartRedis(t).URL()
	c := &cluster{t: t, nodes: map[string]*hubtest.Node{}}
	ports := []string{}
	for _, port := range []string{"8081", "8082"} {
		h := hubtest.Start(t, "--store", store, "--api-key", apiKey, "--jwt-secret", jwtSecret, "--trust-proxy", "127.0.0.1")
		c.nodes[h.Name] = h
		ports = append(ports, "127.0.0.1:"+port, h.Addr)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.addr = l.Addr().String()
	l.Close()
	config := ""
	for _, f := range fences(document(t, "README.md")) {
		if f.info == "nginx" {
			config = strings.Join(f.lines, "\n")
		}
	}
	config = strings.NewReplacer(append(ports, "listen 8000;", "listen "+c.addr+";")...).Replace(config)
	c.startNginx(config)
	c.token = hubtest.Token(t, jwtSecret, "--sub", "ann", "--subscribe", "news")
	return c
}

func (c *cluster) startNginx(config string) {
	c.t.Helper()
	dir := c.t.TempDir()
	writeFile(c.t, filepath.Join(dir, "nginx.conf"), config)
	more := "daemon off;"
	if os.Geteuid() == 0 { // its workers' user may not enter the test's folder
		more += " user root;"
	}
	hubtest.Beside(c.t, dir, "nginx", "-p", dir, "-e", "stderr", "-c", "nginx.conf", "-g", more)
	within(c.t, "nginx answers", func() bool {
		resp, err := web.Get("http://" + c.addr + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// publish publishes a number through nginx.
func (c *cluster) publish(n int) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), "POST", "http://"+c.addr+"/channels/news/events", strings.NewReader(fmt.Sprint(n)))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+apiKey)
	resp, err := web.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusCreated {
		c.t.Fatalf("%d: %s %s", n, resp.Status, body)
	}
}

// TestNginxFirst: where nginx has asked nodes in vain, the first request after
// they have started is answered.
func TestNginxFirst(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	for _, h := range c.nodes {
		h.Kill()
	}
	for range 4 { // each node has failed by then
		resp, err := web.Get("http://" + c.addr + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadGateway {
			t.Fatalf("without nodes nginx says %s", resp.Status)
		}
	}
	for _, h := range c.nodes {
		h.Restart()
	}
	c.publish(1)
}

// follower reads the channel through nginx, over one transport, resuming.
type follower struct {
	*cluster
	path   string
	header string
	next   func(*bufio.Reader) (seen, error)

	conn net.Conn
	r    *bufio.Reader
	node string // that it is connected to
	at   string // position
}

// seen is what a follower hears of.
type seen struct {
	node, id, data string
	gap            bool
}

func (f *follower) connect() error {
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		return err
	}
	f.conn, f.r = conn, bufio.NewReader(conn)
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n%s\r\n\r\n",
		strings.ReplaceAll(f.path, "POSITION", f.at), f.addr, f.token, strings.ReplaceAll(f.header, "POSITION", f.at))
	resp, err := http.ReadResponse(f.r, nil)
	if err != nil {
		return err
	}
	switch resp.StatusCode {
	case http.StatusSwitchingProtocols:
		return nil
	case http.StatusOK:
		f.r = bufio.NewReader(resp.Body)
		return nil
	}
	return errors.New(resp.Status)
}

// read returns the next event, from as many connections as that takes.
func (f *follower) read() seen {
	f.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if f.conn == nil {
			if err := f.connect(); err != nil {
				f.cut()
				time.Sleep(50 * time.Millisecond) // not to be a storm
				continue
			}
		}
		s, err := f.next(f.r)
		if err != nil {
			f.cut()
			continue
		}
		if s.gap {
			f.t.Fatalf("%s: a gap after %s", f.path, f.at)
		}
		if s.node != "" {
			f.node = s.node
		}
		if s.id != "" {
			f.at = s.id
		}
		if s.data != "" {
			return s
		}
	}
	f.t.Fatalf("%s: nothing comes after %s", f.path, f.at)
	return seen{}
}

func (f *follower) cut() {
	if f.conn != nil {
		f.conn.Close()
	}
	f.conn = nil
}

// nextBlock reads a block of an event stream.
func nextBlock(r *bufio.Reader) (s seen, err error) {
	name, data := "", ""
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return seen{}, err // half a block is none
		}
		field, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ": ")
		switch {
		case field == "event":
			name = value
		case field == "data":
			data = value
		case field == "id":
			s.id = value
		case field == "" && name == "runnel.gap":
			return seen{gap: true}, nil
		case field == "" && name == "runnel.welcome":
			s.node = nodeOf(data)
			return s, nil
		case field == "" && strings.HasPrefix(name, "runnel."):
			return seen{id: s.id}, nil
		case field == "" && data != "":
			s.data = data
			return s, nil
		}
	}
}

func nodeOf(welcome string) string {
	var w struct{ Node string }
	json.Unmarshal([]byte(welcome), &w)
	return w.Node
}

func nextMessage(r *bufio.Reader) (seen, error) {
	text, err := readFrame(r)
	if err != nil {
		return seen{}, err
	}
	if strings.HasPrefix(text, "close ") {
		return seen{}, errors.New(text)
	}
	var m struct {
		Type, ID, Node string
		Position       string `json:"last_event_id"`
		Data           json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return seen{}, err
	}
	return seen{node: m.Node, id: m.ID + m.Position, data: string(m.Data), gap: m.Type == "gap"}, nil
}

// TestNginx publishes and reads through nginx, live on both transports, while
// one node is killed.
func TestNginx(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	sse := &follower{cluster: c, path: "/channels/news/events", next: nextBlock,
		header: "Accept: text/event-stream\r\nLast-Event-ID: POSITION"}
	ws := &follower{cluster: c, path: "/channels/news/ws?last_event_id=POSITION", next: nextMessage,
		header: "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	defer sse.cut()
	defer ws.cut()
	for _, f := range []*follower{sse, ws} {
		f.at = "earliest"
	}
	c.publish(0)
	both := func(n int) {
		t.Helper()
		a, b := sse.read(), ws.read()
		if want := fmt.Sprint(n); a.data != want || b.data != want || a.id != b.id {
			t.Fatalf("%d: %+v over SSE, %+v over a WebSocket", n, a, b)
		}
	}
	both(0)
	for n := 1; n <= 20; n++ { // live: each is awaited before the next is published
		c.publish(n)
		both(n)
	}
	killed := sse.node
	c.nodes[killed].Kill()
	for n := 21; n <= 40; n++ {
		c.publish(n)
	}
	for n := 21; n <= 40; n++ {
		both(n)
	}
	if sse.node == killed {
		t.Errorf("the feed is still at node %s, which was killed", killed)
	}
}

// TestNginxBatch sends as large a batch through nginx as the hub takes.
func TestNginxBatch(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	item := `{"channel":"news","text":"` + strings.Repeat("x", 10_000) + `"}`
	batch := "[" + item + strings.Repeat(","+item, (1<<20-10)/(len(item)+1)-1) + "]"
	batch += strings.Repeat(" ", 1<<20-len(batch))
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+c.addr+"/events", strings.NewReader(batch))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+apiKey)
	resp, err := web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || strings.Contains(string(body), "error") {
		t.Errorf("%s %s", resp.Status, body)
	}
}

// stubborn is nginx as a cache that takes no advice on buffering.
const stubborn = `events {}
http {
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    proxy_cache_path cache keys_zone=feeds:1m;
    server {
        listen PROXY;
        location / {
            proxy_pass http://HUB;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering on;
            proxy_ignore_headers X-Accel-Buffering;
            proxy_cache feeds;
            proxy_cache_valid any 1m;
        }
    }
}`

// TestNginxThatCaches: each block passes at once, the first one too, through a
// cache that buffers, and what was cut stays so.
func TestNginxThatCaches(t *testing.T) {
	hub := hubtest.Start(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, addr: l.Addr().String()}
	l.Close()
	c.startNginx(strings.NewReplacer("PROXY", c.addr, "HUB", hub.Addr).Replace(stubborn))
	f := &follower{cluster: c, path: "/channels/news/events", header: "Accept: text/event-stream"}
	if err := f.connect(); err != nil {
		t.Fatal(err)
	}
	defer f.cut()
	if s, err := nextBlock(f.r); s.node != hub.Name {
		t.Fatalf("first comes %+v, %v", s, err)
	}
	for n := range 5 {
		c.publish(n)
		if s, err := nextBlock(f.r); s.data != fmt.Sprint(n) {
			t.Fatalf("%d: there comes %+v, %v", n, s, err)
		}
	}
	hub.Kill()
	if rest, err := io.ReadAll(f.r); err != io.ErrUnexpectedEOF {
		t.Errorf("the feed ends with %q, %v", rest, err)
	}
	hub.Restart()
}

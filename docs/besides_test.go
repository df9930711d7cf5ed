package docs

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

// besides does what happens apart from the connection.
func (r *replay) besides(what string) {
	r.t.Helper()
	verb, rest, _ := strings.Cut(what, " ")
	switch verb {
	case "POST":
		path, data, _ := strings.Cut(rest, " ")
		r.post(r.fill(path), data)
	case "open":
		r.open(rest)
	case "hold": // the connection stays open while the next is made
		r.held, r.conn = append(r.held, r.conn), nil
	case "cut":
		r.disconnect()
	case "end":
		r.end()
	case "stop":
		r.hub.Signal(syscall.SIGTERM)
	case "restart":
		r.hub.Stop()
		r.hub.Restart()
		r.known["<node>"] = r.hub.Name
	case "pause":
		r.pause()
	case "resume":
		r.redis.Resume()
	default:
		r.fail("nothing is known of %q", what)
	}
}

// end waits for the end of the connection, or of a stream: that is cut.
func (r *replay) end() {
	r.t.Helper()
	var want error
	if r.mode == stream {
		want = io.ErrUnexpectedEOF
	}
	if rest, err := io.ReadAll(r.r); err != want || len(rest) > 0 {
		r.fail("the connection does not end as it should: %q, %v", rest, err)
	}
}

// post publishes as somebody else.
func (r *replay) post(path, data string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), "POST", r.hub.URL+path, strings.NewReader(data))
	if err != nil {
		r.fail("%v", err)
	}
	req.Header.Set("Content-Type", "text/plain")
	if json.Valid([]byte(data)) {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.keys {
		req.Header.Set("Authorization", "Bearer "+apiKey)
	}
	resp, err := web.Do(req)
	if err != nil {
		r.fail("%v", err)
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode/100 != 2 {
		r.fail("%s %s", resp.Status, answer)
	}
}

// open has somebody else read a feed until the connection is hung up.
func (r *replay) open(path string) {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.hub.Addr)
	if err != nil {
		r.fail("%v", err)
	}
	r.held = append(r.held, conn)
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: "+r.hub.Addr+"\r\nAccept: text/event-stream\r\n\r\n")
	for b := bufio.NewReader(conn); ; {
		line, err := b.ReadString('\n')
		if err != nil {
			r.fail("%v", err)
		}
		if strings.HasPrefix(line, "event: runnel.welcome") {
			return
		}
	}
}

// quiet is when a Redis has nothing to do for the moment: a node appends for
// itself about once a second, and then all that is due.
const quiet = 300 * time.Millisecond

// pause stops Redis right after the node was busy with what is its own. Of
// that nothing may wait for its answer then: the transcript's request would have
// to make a new connection, and so would surely not be published.
func (r *replay) pause() {
	r.t.Helper()
	at, err := url.Parse(r.redis.URL())
	if err != nil {
		r.fail("%v", err)
	}
	monitor, err := net.Dial("tcp", at.Host)
	if err != nil {
		r.fail("%v", err)
	}
	defer monitor.Close()
	io.WriteString(monitor, "MONITOR\r\n")
	lines := bufio.NewReader(monitor)
	for deadline, seen := time.Now().Add(patience), -1; time.Now().Before(deadline); { // the first line is +OK
		monitor.SetReadDeadline(time.Now().Add(quiet))
		switch _, err := lines.ReadString('\n'); {
		case err == nil:
			seen++
		case !errors.Is(err, os.ErrDeadlineExceeded):
			r.fail("%v", err)
		case seen > 0:
			r.redis.Pause()
			return
		}
	}
	r.fail("Redis has no rest")
}

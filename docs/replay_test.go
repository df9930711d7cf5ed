package docs

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"runnel/hubtest"
	"runnel/streams/streamstest"
)

// replay plays the client's part of a scene and compares what the hub says.
type replay struct {
	t      *testing.T
	path   string // the document
	hub    *hubtest.Node
	redis  *streamstest.RedisServer
	keys   bool // it has an API key
	tokens map[string]string
	known  values

	at   step // where it is
	conn net.Conn
	r    *bufio.Reader
	mode mode
	left []string // lines of a body that came whole
	held []net.Conn

	closed bool // the client has sent a close frame
}

// mode is what comes next from the hub.
type mode int

const (
	nothing  mode = iota
	body          // a body that came whole
	stream        // lines, as they come
	messages      // of a WebSocket
)

// block replays one transcript.
func (r *replay) block(b block) {
	r.t.Helper()
	defer r.hangUp()
	for steps := b.steps; len(steps) > 0; {
		r.at = steps[0]
		steps = steps[r.play(steps):]
	}
	if r.mode == body && len(r.left) > 0 {
		r.fail("the hub says more: %q", r.left)
	}
}

func (r *replay) fail(format string, args ...any) {
	r.t.Helper()
	r.t.Fatalf("%s:%d: "+format, append([]any{r.path, r.at.line}, args...)...)
}

func (r *replay) match(want, got string) {
	r.t.Helper()
	if err := r.known.match(want, got); err != nil {
		r.fail("%v", err)
	}
}

var requestLine = regexp.MustCompile(`^[A-Z]+ \S+ HTTP/1\.1$`)

// play takes the next steps and returns how many.
func (r *replay) play(steps []step) int {
	r.t.Helper()
	s := steps[0]
	switch {
	case s.sign == "!":
		r.besides(s.text)
	case s.sign == ">" && r.mode == messages:
		r.say(s.text)
	case s.sign == ">" && requestLine.MatchString(s.text):
		n := ahead(steps, ">")
		r.request(steps[:n])
		return n + r.head(steps[n:])
	case s.sign == "<?":
		n := ahead(steps, "<?")
		r.anyOrder(steps[:n])
		return n
	case s.sign == "<":
		r.match(s.text, r.hear())
	default:
		r.fail("a request begins with a line such as GET / HTTP/1.1")
	}
	return 1
}

// ahead is how many steps at the beginning have that sign.
func ahead(steps []step, sign string) int {
	n := slices.IndexFunc(steps, func(s step) bool { return s.sign != sign })
	if n < 0 {
		return len(steps)
	}
	return n
}

// request sends a request on a connection of its own.
func (r *replay) request(steps []step) {
	r.t.Helper()
	r.disconnect()
	head, content, inBody := "", "", false
	for _, s := range steps {
		switch text := r.fill(s.text); {
		case inBody && content == "":
			content = text
		case inBody:
			content += "\n" + text
		default:
			head, inBody = head+s.text+"\r\n", s.text == ""
		}
	}
	r.known["<length>"] = strconv.Itoa(len(content))
	head = r.fill(head)
	delete(r.known, "<length>")
	conn, err := net.Dial("tcp", r.hub.Addr)
	if err != nil {
		r.fail("%v", err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	r.conn, r.r = conn, bufio.NewReader(conn)
	if _, err := io.WriteString(conn, head+content); err != nil {
		r.fail("%v", err)
	}
}

// fill puts in what placeholders stand for; tokens are made when they are
// first needed.
func (r *replay) fill(text string) string {
	r.t.Helper()
	for _, p := range placeholder.FindAllString(text, -1) {
		if flags, ok := r.tokens[p]; ok && r.known[p] == "" {
			r.known[p] = hubtest.Token(r.t, jwtSecret, strings.Fields(flags)...)
		}
		if p == "<length>" && r.known[p] == "" {
			return text
		}
	}
	return r.known.fill(r.t, text)
}

// head compares the head of a response, up to its empty line, and returns how
// many steps that took. "..." stands for other headers.
func (r *replay) head(steps []step) int {
	r.t.Helper()
	want := steps[:slices.IndexFunc(steps, func(s step) bool { return s.text == "" })+1]
	if len(want) == 0 || want[0].sign != "<" {
		r.fail("no response follows the request")
	}
	var got []string
	for line := r.line(); line != ""; line = r.line() {
		got = append(got, line)
	}
	r.begin(got)
	others := slices.ContainsFunc(want, func(s step) bool { return s.text == "..." })
	if !others && len(got) != len(want)-1 {
		r.fail("the head of the response is\n%s", strings.Join(got, "\n"))
	}
	for i, s := range want[:len(want)-1] {
		r.at = s
		switch {
		case s.text == "...":
		case i == 0:
			r.match(s.text, got[0])
		default:
			r.header(s.text, got)
		}
	}
	return len(want)
}

// header compares one header line. Their order says nothing (RFC 9110, section 5.3).
func (r *replay) header(want string, got []string) {
	r.t.Helper()
	name, _, _ := strings.Cut(want, ":")
	for _, line := range got {
		if strings.HasPrefix(line, name+":") {
			r.match(want, line)
			return
		}
	}
	r.fail("the response has no %s:\n%s", name, strings.Join(got, "\n"))
}

// begin finds out what follows the head of a response.
func (r *replay) begin(head []string) {
	r.t.Helper()
	length := -1
	for _, line := range head {
		if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length, _ = strconv.Atoi(v)
		}
	}
	switch {
	case strings.HasPrefix(head[0], "HTTP/1.1 101 "):
		r.mode = messages
	case length < 0:
		r.mode = stream
	default:
		r.mode = body
		content := make([]byte, length)
		if _, err := io.ReadFull(r.r, content); err != nil {
			r.fail("the body: %v", err)
		}
		r.left = strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	}
}

// hear returns the hub's next line or message.
func (r *replay) hear() string {
	r.t.Helper()
	switch r.mode {
	case body:
		if len(r.left) == 0 {
			r.fail("the body ends before %q", r.at.text)
		}
		line := r.left[0]
		r.left = r.left[1:]
		return line
	case stream:
		return r.line()
	case messages:
		message, err := readFrame(r.r)
		if err != nil {
			r.fail("instead of %q: %v", r.at.text, err)
		}
		if code, isClose := strings.CutPrefix(message, "close "); isClose && !r.closed { // RFC 6455, section 5.5.1
			r.say("close " + code[:4])
		}
		return message
	}
	r.fail("nothing was asked")
	return ""
}

// line reads a line of the connection.
func (r *replay) line() string {
	r.t.Helper()
	line, err := r.r.ReadString('\n')
	if err != nil {
		r.fail("instead of %q: %v, after %q", r.at.text, err, line)
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
}

// anyOrder compares lines whose order is not promised.
func (r *replay) anyOrder(steps []step) {
	r.t.Helper()
	for left := slices.Clone(steps); len(left) > 0; {
		r.at = left[0]
		got := r.hear()
		i := slices.IndexFunc(left, func(s step) bool { return r.known.match(s.text, got) == nil })
		if i < 0 {
			r.fail("none of these lines is what the hub says:\n  %s", got)
		}
		left = slices.Delete(left, i, i+1)
	}
}

// say sends a message, or a close frame.
func (r *replay) say(text string) {
	r.t.Helper()
	frame := appendFrame(nil, opText, r.fill(text))
	code, isClose := strings.CutPrefix(text, "close ")
	if isClose {
		r.closed = true
		n, err := strconv.Atoi(code)
		if err != nil {
			r.fail("a close frame has a code")
		}
		frame = appendFrame(nil, opClose, string([]byte{byte(n >> 8), byte(n)}))
	}
	if _, err := r.conn.Write(frame); err != nil {
		r.fail("%v", err)
	}
}

// disconnect closes the connection.
func (r *replay) disconnect() {
	if r.conn != nil {
		r.conn.Close()
	}
	r.conn, r.mode, r.left, r.closed = nil, nothing, nil, false
}

// hangUp closes all connections of a transcript.
func (r *replay) hangUp() {
	r.disconnect()
	for _, c := range r.held {
		c.Close()
	}
	r.held = nil
}

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
		if rest, err := io.ReadAll(r.r); err != nil && !errors.Is(err, net.ErrClosed) || len(rest) > 0 {
			r.fail("the connection does not end: %q, %v", rest, err)
		}
	case "stop":
		r.hub.Signal(syscall.SIGTERM)
	case "restart":
		r.hub.Stop()
		r.hub.Restart()
		r.known["<node>"] = r.hub.Name
	case "pause":
		// A node announces itself when it starts and publishes figures every
		// second after that: between the two nothing of its own stands in front
		// of what the transcript publishes.
		time.Sleep(400 * time.Millisecond)
		r.redis.Pause()
	case "resume":
		r.redis.Resume()
	default:
		r.fail("nothing is known of %q", what)
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

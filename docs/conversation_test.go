package docs

import (
	"bufio"
	"io"
	"net"
	"net/http/httputil"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mode is what comes next from the hub.
type mode int

const (
	nothing  mode = iota
	body          // a body that came whole
	stream        // lines of chunks, as they come
	messages      // of a WebSocket
)

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
	case slices.Contains(head, "Transfer-Encoding: chunked"):
		r.mode = stream
		r.r = bufio.NewReader(httputil.NewChunkedReader(r.r))
	case length < 0: // it has no body
		r.mode = body
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

package docs

import (
	"bufio"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

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

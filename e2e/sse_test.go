package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// block is one dispatch of an event stream, read as the HTML standard says,
// and what a parser throws away.
type block struct {
	event  string
	data   string
	id     string // the block's own, if hasID
	hasID  bool
	retry  int // milliseconds, -1 for none
	fields []string
}

// feed is an event stream that a test reads. For one goroutine.
type feed struct {
	t      testing.TB
	conn   net.Conn
	status int
	header http.Header
	body   *bufio.Reader
	rest   io.Closer
	cut    error  // how its body ends where the feed is to be opened again
	lastID string // as an EventSource keeps it
}

// errWithin is how no stream of a hub that goes away in good order ends.
var errWithin = errors.New("the stream ends within a block")

// openFeed asks for an event stream and reads the response's head.
func openFeed(t testing.TB, addr, path string, headers ...string) *feed {
	t.Helper()
	f, err := tryFeed(t, addr, path, headers...)
	if err != nil {
		t.Fatalf("feed %s: %v", path, err)
	}
	t.Cleanup(f.close)
	return f
}

// tryFeed is openFeed where nobody may answer. The caller closes the feed.
func tryFeed(t testing.TB, addr, path string, headers ...string) (*feed, error) {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	return requestFeed(t, conn, "HTTP/1.1", path, headers...)
}

// requestFeed makes the request on a connection, which it closes on failure.
func requestFeed(t testing.TB, conn net.Conn, version, path string, headers ...string) (*feed, error) {
	conn.SetDeadline(time.Now().Add(patience))
	head := fmt.Sprintf("GET %s %s\r\nHost: %s\r\nAccept: text/event-stream\r\n", path, version, conn.RemoteAddr())
	for _, h := range headers {
		head += h + "\r\n"
	}
	if _, err := io.WriteString(conn, head+"\r\n"); err != nil {
		conn.Close()
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		conn.Close()
		return nil, err
	}
	f := &feed{t: t, conn: conn, status: resp.StatusCode, header: resp.Header,
		body: bufio.NewReader(resp.Body), rest: resp.Body, cut: io.ErrUnexpectedEOF}
	if version == "HTTP/1.0" {
		f.cut = io.EOF
	}
	return f, nil
}

// subscribe opens a feed and reads its welcome.
func (n *node) subscribe(path string, headers ...string) *feed {
	n.t.Helper()
	f := openFeed(n.t, n.Addr, path, headers...)
	f.welcome()
	return f
}

// close hangs up.
func (f *feed) close() { f.conn.Close() }

// next reads a block. An error says how the stream ended: errWithin, cut between
// two blocks, or io.EOF where it is complete.
func (f *feed) next() (b block, err error) {
	b.retry = -1
	f.conn.SetReadDeadline(time.Now().Add(patience))
	var data []string
	for {
		line, err := f.body.ReadString('\n')
		if err != nil {
			if line != "" || len(b.fields) > 0 {
				err = fmt.Errorf("%w: %w", errWithin, err)
			}
			return b, err
		}
		if line = strings.TrimSuffix(line, "\n"); line == "" {
			break
		}
		if strings.Contains(line, "\r") || !utf8.ValidString(line) {
			return b, fmt.Errorf("a line with a CR or without UTF-8: %q", line)
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		b.fields = append(b.fields, name)
		switch name {
		case "event":
			b.event = value
		case "data":
			data = append(data, value)
		case "id":
			b.id, b.hasID = value, true
			f.lastID = value
		case "retry":
			if b.retry, err = strconv.Atoi(value); err != nil {
				return b, err
			}
		default:
			return b, fmt.Errorf("a line of no known field: %q", line)
		}
	}
	if data == nil { // many clients take it for an empty message
		return b, fmt.Errorf("a block without data: %q", b.fields)
	}
	b.data = strings.Join(data, "\n")
	return b, nil
}

// read reads the next block but for heartbeats.
func (f *feed) read() block {
	f.t.Helper()
	for {
		b, err := f.next()
		if err != nil {
			f.t.Fatalf("reading the feed: %v", err)
		}
		if b.event != "runnel.heartbeat" {
			return b
		}
	}
}

// welcomed is the data of a welcome, on every transport.
type welcomed struct {
	Type       string
	Connection string
	User       *string
	Node       string
	Heartbeat  float64
}

// welcome reads what a feed begins with.
func (f *feed) welcome() welcomed {
	f.t.Helper()
	if f.status != http.StatusOK {
		text, _ := f.body.ReadString('\n')
		f.t.Fatalf("the feed's status is %d: %s", f.status, text)
	}
	b := f.read()
	if b.event != "runnel.welcome" || b.id == "" || b.retry <= 0 {
		f.t.Fatalf("the feed begins with %+v", b)
	}
	return parse[welcomed](f.t, []byte(b.data))
}

// want reads events with these data, each with an ID, in order.
func (f *feed) want(data ...string) (ids []string) {
	f.t.Helper()
	for _, d := range data {
		b := f.read()
		if b.data != d || strings.HasPrefix(b.event, "runnel.") {
			f.t.Fatalf("the feed brings %+v, want the data %q", b, d)
		}
		ids = append(ids, b.id)
	}
	return ids
}

// gap reads a gap, whose position is the block's ID.
func (f *feed) gap() gap {
	f.t.Helper()
	b := f.read()
	if b.event != "runnel.gap" || !b.hasID {
		f.t.Fatalf("the feed brings %+v, want a gap", b)
	}
	return parse[gap](f.t, []byte(b.data))
}

// ends reads to the stream's end, as of one that is to be opened again: it is cut
// between two blocks.
func (f *feed) ends() (last block) {
	f.t.Helper()
	for {
		b, err := f.next()
		if err == f.cut {
			return last
		}
		if err != nil {
			f.t.Fatalf("the feed ends with %v", err)
		}
		last = b
	}
}

// envelope reads an event of a feed over several channels.
func (f *feed) envelope() envelope {
	f.t.Helper()
	b := f.read()
	if b.event != "" {
		f.t.Fatalf("the feed brings %+v, want an envelope", b)
	}
	return parse[envelope](f.t, []byte(b.data))
}

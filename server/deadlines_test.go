package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"runnel/auth"
)

// A body that comes slower than BodyWait holds nothing for longer.
func TestSlowBodiesAreCut(t *testing.T) {
	n := startNode(t, func(c *Config, _ *auth.Config) {
		c.Limits = DefaultLimits()
		c.Limits.BodyWait = 50 * time.Millisecond
	})
	for _, token := range []string{testAPIKey, "nonsense"} { // read by the handler, and left unread
		conn, err := net.Dial("tcp", strings.TrimPrefix(n.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /channels/c/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: 10\r\n\r\n1", token)
		conn.SetDeadline(time.Now().Add(patience))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != 400 && resp.StatusCode != 401 {
			t.Errorf("status %d", resp.StatusCode)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("the connection was not closed: %v", err)
		}
	}
}

// TestUnfinishedMessagesAreCut: a message that is begun and does not come to its
// end holds its bytes for BodyWait, and its peer is told why it is closed.
func TestUnfinishedMessagesAreCut(t *testing.T) {
	t.Parallel() // each is given seconds to close
	n := startNode(t, demo, func(c *Config, _ *auth.Config) {
		c.Limits = DefaultLimits()
		c.Limits.BodyWait = 100 * time.Millisecond
	})
	for name, sent := range map[string]string{
		"a frame": "\x81\xfe\x10\x00abcd{", "a message": "\x01\x81\x00\x00\x00\x00{", "a header": "\x81",
		"with pings between": "\x01\x81\x00\x00\x00\x00{\x89\x80abcd\x89\x80abcd",
	} {
		s := n.openSocket(t, "/ws")
		io.WriteString(s, sent)
		const want = "\x0f\xa8the message took too long to come"
		all := make([]byte, 0, 256)
		for !strings.HasSuffix(string(all), want) {
			read, err := s.Read(all[len(all):cap(all)])
			if all = all[:len(all)+read]; err != nil {
				t.Fatalf("%s: the hub says %q, %v", name, all, err)
			}
		}
	}
}

// TestFinishedMessagesAreNotCut: one that comes in time is none of these, nor is
// what follows it.
func TestFinishedMessagesAreNotCut(t *testing.T) {
	t.Parallel()
	n := startNode(t, demo, func(c *Config, _ *auth.Config) {
		c.Limits = DefaultLimits()
		c.Limits.BodyWait = 2 * time.Second
	})
	s := n.openSocket(t, "/ws")
	r := bufio.NewReader(s)
	io.WriteString(s, "\x01\x81\x00\x00\x00\x00{")
	eventually(t, "the message is waited for", func() bool {
		f := n.onlyFeed(t)
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.closing || f.outlet.(*descriptor).waits()
	})
	io.WriteString(s, "\x80\x8e\x00\x00\x00\x00\"type\":\"ping\"}")
	time.Sleep(2500 * time.Millisecond) // the time of the message passes
	io.WriteString(s, maskedText(`{"type":"ping","ref":1}`))
	for range 2 {
		for pong := ""; !strings.Contains(pong, "pong"); {
			var err error
			if pong, err = r.ReadString('}'); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestNextMessageHasItsOwnTime: one that ends and one that begins in what is read
// at once are not one that takes longer and longer.
func TestNextMessageHasItsOwnTime(t *testing.T) {
	s := &socket{feed: &feed{}, conversation: &conversation{claims: &auth.Claims{APIKey: true}}}
	whole := maskedText(`{"type":"ping"}`)
	for at := range whole {
		s.late = time.AfterFunc(time.Hour, func() {})
		if s.heard([]byte(whole[:at])); s.late == nil && at > 0 {
			t.Errorf("after %d bytes the message counts as ended", at)
		}
		if s.heard([]byte(whole[at:] + whole[:at])); s.late != nil {
			t.Errorf("cut at %d: the next message goes on in the time of the one before", at)
		}
		s.heard([]byte(whole[at:]))
	}
}

// maskedText is a short text message with a mask of zeros.
func maskedText(text string) string {
	return string([]byte{finalFrame | opText, masked | byte(len(text)), 0, 0, 0, 0}) + text
}

// waits reports whether somebody waits in Read.
func (d *descriptor) waits() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.woken != nil
}

// TestDeadlinesAreTheRequestsOwn: what a request was given to be answered in
// does not count for the next one on its connection.
func TestDeadlinesAreTheRequestsOwn(t *testing.T) {
	t.Parallel()
	n := startNode(t, demo, func(c *Config, _ *auth.Config) {
		c.Limits = DefaultLimits()
		c.Limits.AnswerWait = time.Second
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(n.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	r := bufio.NewReader(conn)
	for _, request := range []string{
		"GET /healthz", "OPTIONS /tickets", "GET /metrics", "GET /nothing", "GET /debug/pprof/trace?seconds=1.5",
		"GET /channels/a/events?last_event_id=earliest&wait=1500ms", "GET /metrics",
	} {
		fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: localhost\r\n\r\n", request)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%s: %v", request, err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatalf("%s: %v", request, err)
		}
		time.Sleep(1100 * time.Millisecond) // the deadline passes
	}
}

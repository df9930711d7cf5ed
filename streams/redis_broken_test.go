package streams_test

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"runnel/streams"
	"runnel/streams/streamstest"
)

// distorter is a proxy before a Redis that can put something else into the
// place of whatever it answers.
type distorter struct {
	ln     net.Listener
	to     string
	answer atomic.Pointer[[]byte] // nil: what the Redis says
	links  sync.WaitGroup
}

func distort(t *testing.T, server *streamstest.RedisServer) *distorter {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &distorter{ln: ln, to: server.Addr}
	d.links.Go(d.accept)
	t.Cleanup(func() { ln.Close(); d.links.Wait() })
	return d
}

func (d *distorter) accept() {
	for {
		client, err := d.ln.Accept()
		if err != nil {
			return
		}
		redis, err := net.Dial("tcp", d.to)
		if err != nil {
			client.Close()
			continue
		}
		d.links.Go(func() { d.pass(redis, client, false) })
		d.links.Go(func() { d.pass(client, redis, true) })
	}
}

// pass copies until either side ends, which ends the other.
func (d *distorter) pass(to, from net.Conn, answers bool) {
	defer to.Close()
	defer from.Close()
	for buffer := make([]byte, 64<<10); ; {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		b := buffer[:n]
		if other := d.answer.Load(); answers && other != nil {
			b = *other
		}
		if _, err := to.Write(b); err != nil {
			return
		}
	}
}

// What no Redis answers is neither taken for an answer nor for the end: the
// outcome is not known, and all is well with the next true one.
func TestRedisBrokenAnswers(t *testing.T) {
	t.Parallel()
	server := streamstest.StartRedis(t)
	d := distort(t, server)
	log := openRedisWith(t, streams.RedisOptions{URL: "redis://" + d.ln.Addr().String(), ReadTimeout: 300 * time.Millisecond})
	ear := listen(t, log, "a")
	add(t, log, "a", text("before"))
	for _, answer := range []string{
		"*-1\r\n", "*0\r\n", "$-1\r\n", "$3\r\nabc\r\n", ":7\r\n", "+OK\r\n", "%1\r\n+a\r\n:1\r\n",
		"*1\r\n$3\r\n1-x\r\n", "*1\r\n:1\r\n", "*2\r\n$3\r\n5-1\r\n$3\r\n5-2\r\n", "*1\r\n*0\r\n",
		"*5\r\n$3\r\n5-1\r\n$3\r\n5-0\r\n$3\r\n0-0\r\n:0\r\n*1\r\n*2\r\n$3\r\n5-1\r\n*1\r\n$4\r\nprev\r\n",
		"*3\r\n$1\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "\x00\x01\x02", "\r\n",
	} {
		other := bytes.Clone([]byte(answer))
		d.answer.Store(&other)
		if _, err := log.Append(t.Context(), "a", aDay, []streams.Draft{{Data: []byte(answer), Text: true, Key: answer}}); !errors.Is(err, streams.ErrUnknownOutcome) && !errors.Is(err, streams.ErrUnavailable) {
			t.Errorf("%q is an answer to an append: %v", answer, err)
		}
		if page, err := log.Range(t.Context(), "a", everything); err == nil {
			t.Errorf("%q is a page: %+v", answer, page)
		}
		if heads, err := log.Heads(t.Context(), []string{"a"}); err == nil && !heads[0].Last.IsZero() {
			t.Errorf("%q is where a channel stands: %+v", answer, heads)
		}
		d.answer.Store(nil)
		insist(t, log, "a", answer)
	}
	events := read(t, log, "a", everything).Events
	seen := map[string]bool{}
	for _, e := range events {
		if seen[string(e.Data)] {
			t.Errorf("%q is there twice", e.Data)
		}
		seen[string(e.Data)] = true
	}
	within(t, "all events at the follower", func() bool { return ear.knows(events) })
}

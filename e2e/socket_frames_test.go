package e2e

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSocketFrames: fragments, control frames between them, pings.
func TestSocketFrames(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	s, _ := n.subscribeSocket("c", "")
	text := `{"type":"publish","text":"in ü pieces"}`
	cut := strings.Index(text, "ü") + 1 // within a character
	s.frame(opText, false, text[:1])
	s.frame(opPing, true, "are you there?")
	s.frame(opContinue, false, text[1:cut])
	s.frame(opContinue, false, "")
	s.frame(opContinue, true, text[cut:])
	for range 2 {
		if m := s.read(); m.Type == "event" && m.payload() != "in ü pieces" {
			t.Errorf("the event is %s", m.raw)
		}
	}
	if !slices.Equal(s.pongs, []string{"are you there?"}) {
		t.Errorf("the pongs are %q", s.pongs)
	}
	s.frame(opClose, true, "\x03\xe8bye")
	s.wantClose(1000)
}

// TestSocketProtocolErrors: what RFC 6455 forbids ends the connection.
func TestSocketProtocolErrors(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	for _, c := range []struct {
		name string
		send func(s *socket)
		code int
	}{
		{"far too large", func(s *socket) { s.tryFrame(opText, true, strings.Repeat("x", 1<<20)) }, 1009},
		{"far too large in pieces", func(s *socket) {
			s.tryFrame(opText, false, "{")
			for range 32 {
				s.tryFrame(opContinue, false, strings.Repeat(" ", 32<<10))
			}
		}, 1009},
		{"an unknown opcode", func(s *socket) { s.frame(0x3, true, "x") }, 1002},
		{"a continuation of nothing", func(s *socket) { s.frame(opContinue, true, "x") }, 1002},
		{"a long ping", func(s *socket) { s.frame(opPing, true, strings.Repeat("x", 126)) }, 1002},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openSocket(t, n.Addr, "/ws")
			s.want("welcome")
			c.send(s)
			_, err := s.next()
			var got closed
			if !errors.As(err, &got) || got.code != c.code {
				t.Errorf("the WebSocket ends with %v, want the close code %d", err, c.code)
			}
		})
	}
}

// TestSocketCutInAMessage: half a message is no message.
func TestSocketCutInAMessage(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	s := openSocket(t, n.Addr, "/ws")
	s.want("welcome")
	s.frame(opText, false, `{"type":"publish","channel":"c","text":"ha`)
	s.close()
	n.publish("c", "other")
	if got := payloads(n.history("c", "").Events); !slices.Equal(got, []string{"other"}) {
		t.Errorf("the history is %q", got)
	}
	// The hub forgets the connection.
	within(t, "no connection is left", func() bool {
		a := call(t, "GET", n.URL+"/readyz", "")
		return parse[struct{ Connections int }](t, a.body).Connections == 0
	})
}

// TestSocketHalfClosed: a peer that will send no more still gets its answers,
// or the end; not a connection that hangs.
func TestSocketHalfClosed(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	s := openSocket(t, n.Addr, "/ws")
	s.want("welcome")
	s.conn.(interface{ CloseWrite() error }).CloseWrite()
	for {
		if _, err := s.next(); err != nil {
			if !errors.Is(err, io.EOF) && !errors.As(err, new(closed)) {
				t.Errorf("it ends with %v", err)
			}
			return
		}
	}
}

// TestSocketPongs: pongs that nobody waits for, whole or in pieces, alone or
// with messages around them, take nothing from these.
func TestSocketPongs(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--heartbeat", "1s", "--ping", "1s")
	s := openSocket(t, n.Addr, "/ws")
	s.want("welcome")
	pong := "\x8a\x80abcd"
	ping := maskedFrame(`{"type":"ping","ref":1}`)
	for _, pieces := range [][]string{
		{pong}, {pong + pong}, {pong[:1], pong[1:]}, {pong + pong[:4], pong[4:]},
		{pong + ping}, {ping + pong}, {pong, ping[:3], ping[3:]}, {pong + ping[:3], ping[3:] + pong},
		{strings.Repeat(pong, 9) + ping}, {"\x8a\x83abcd123", pong + ping},
	} {
		for _, piece := range pieces {
			if _, err := io.WriteString(s.conn, piece); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Millisecond) // so that it is read alone
		}
		s.send(`{"type":"ping","ref":"after"}`)
		for _, ref := range []string{"1", `"after"`} {
			if ref == "1" && !strings.Contains(strings.Join(pieces, ""), ping) {
				continue
			}
			if m := s.want("pong"); string(m.Ref) != ref {
				t.Fatalf("after %q the answer is to %s", pieces, m.Ref)
			}
		}
	}
}

// maskedFrame is a text message with a mask of zeros.
func maskedFrame(text string) string {
	return string([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}) + text
}

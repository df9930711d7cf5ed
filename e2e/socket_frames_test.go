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

// TestSocketProtocolErrors: what RFC 6455 forbids ends the connection, with the
// close code that says so.
func TestSocketProtocolErrors(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	bytes := func(raw string) func(*socket) {
		return func(s *socket) { io.WriteString(s.conn, raw) }
	}
	const mask = "\x00\x00\x00\x00"
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
		{"an unknown control opcode", func(s *socket) { s.frame(0xB, true, "x") }, 1002},
		{"a continuation of nothing", func(s *socket) { s.frame(opContinue, true, "x") }, 1002},
		{"a message within another", func(s *socket) { s.frame(opText, false, "{"); s.frame(opText, true, "{}") }, 1002},
		{"a long ping", func(s *socket) { s.frame(opPing, true, strings.Repeat("x", 126)) }, 1002},
		{"a ping in pieces", func(s *socket) { s.frame(opPing, false, "x") }, 1002},
		{"the first reserved bit", bytes("\xc1\x82" + mask + "{}"), 1002},
		{"the second reserved bit", bytes("\xa1\x82" + mask + "{}"), 1002},
		{"the third reserved bit", bytes("\x91\x82" + mask + "{}"), 1002},
		{"no mask", bytes("\x81\x02{}"), 1002},
		{"no mask on a pong", bytes("\x8a\x00"), 1002},
		{"a length in two bytes too many", bytes("\x81\xfe\x00\x02" + mask + "{}"), 1002},
		{"a length in eight bytes too many", bytes("\x81\xff\x00\x00\x00\x00\x00\x00\x00\x02" + mask + "{}"), 1002},
		{"a negative length", bytes("\x81\xff\x80\x00\x00\x00\x00\x00\x00\x02" + mask + "{}"), 1002},
		{"a goodbye of one byte", func(s *socket) { s.frame(opClose, true, "\x03") }, 1002},
		{"a goodbye with a code for nobody", func(s *socket) { s.frame(opClose, true, "\x03\xed") }, 1002},
		{"a goodbye that is no UTF-8", func(s *socket) { s.frame(opClose, true, "\x03\xe8\xff") }, 1007},
		{"a message that is no UTF-8", func(s *socket) { s.frame(opText, true, "{\"type\":\"\xff\"}") }, 1007},
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

// TestSocketCannotUnpack: a compressed message that is none ends the connection
// in order; a first reserved bit means something only where a message begins.
func TestSocketCannotUnpack(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	const mask = "\x00\x00\x00\x00"
	for name, raw := range map[string]string{
		"no deflate stream":     "\xc1\x84" + mask + "\xff\xff\xff\xff",
		"a compressed fragment": "\x01\x81" + mask + "{" + "\xc0\x81" + mask + "}",
		"a compressed ping":     "\xc9\x80" + mask,
		"another reserved bit":  "\xe1\x82" + mask + "{}",
	} {
		s := openSocket(t, n.Addr, "/ws", "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover")
		s.want("welcome")
		io.WriteString(s.conn, raw)
		_, err := s.next()
		var got closed
		if !errors.As(err, &got) || got.code != 1002 {
			t.Errorf("%s: the WebSocket ends with %v, want the close code 1002", name, err)
		}
	}
}

// TestSocketAnswersWhatCameBefore: a wrong frame takes nothing from the messages
// before it, even when it comes with them.
func TestSocketAnswersWhatCameBefore(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	s := openSocket(t, n.Addr, "/ws")
	s.want("welcome")
	io.WriteString(s.conn, maskedFrame(`{"type":"publish","channel":"c","text":"before"}`)+"\x81\x02{}"+maskedFrame(`{"type":"ping"}`))
	s.want("published")
	_, err := s.next()
	var got closed
	if !errors.As(err, &got) || got.code != 1002 {
		t.Errorf("the WebSocket ends with %v, want the close code 1002", err)
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

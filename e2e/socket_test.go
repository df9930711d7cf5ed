package e2e

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"runnel/hubtest"
)

func TestSocket(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--heartbeat", "1s")
	s := openSocket(t, n.Addr, "/ws", "Accept-Encoding: gzip, deflate", "Sec-WebSocket-Extensions: permessage-deflate")
	w := s.want("welcome")
	if w.Connection == "" || w.Node != n.Name || w.Heartbeat != 1 || !strings.Contains(w.raw, `"user":null`) {
		t.Errorf("the welcome is %s", w.raw)
	}
	s.send(`{"type":"subscribe","ref":1,"channel":"c"}`)
	if m := s.want("subscribed"); string(m.Ref) != "1" || m.Channel != "c" || !strings.HasSuffix(m.LastEventID, "-0") {
		t.Errorf("subscribed: %s", m.raw)
	}
	s.send(`{"type":"subscribe","ref":"again","channel":"c"}`)
	if m := s.wantError("conflict"); string(m.Ref) != `"again"` {
		t.Errorf("a second subscribe: %s", m.raw)
	}
	s.send(`{"type":"publish","ref":2,"channel":"c","event":"note","data":{"a":1}}`)
	one := map[string]message{}
	for range 2 {
		m := s.read()
		one[m.Type] = m
	}
	if p, e := one["published"], one["event"]; p.ID == "" || p.ID != e.ID || string(p.Ref) != "2" || e.Event != "note" || e.payload() != `{"a":1}` || e.Channel != "c" {
		t.Errorf("published: %s, event: %s", p.raw, e.raw)
	}
	s.send(`{"type":"publish","ref":3,"channel":"c","text":"mine","echo":false}`)
	silent := map[string]message{}
	for range 2 {
		m := s.read()
		silent[m.Type] = m
	}
	if p, at := silent["published"], silent["position"]; p.ID == "" || at.LastEventID != p.ID || at.Channel != "c" {
		t.Errorf("without echo: %v", silent)
	}
	s.send(`{"type":"history","ref":5,"channel":"c"}`)
	h := s.want("history")
	if !slices.Equal(payloads(h.Events), []string{`{"a":1}`, "mine"}) || h.More || h.LastEventID != one["event"].nextID(h) || h.Gap != nil || string(h.Ref) != "5" {
		t.Errorf("history: %s", h.raw)
	}
	s.send(fmt.Sprintf(`{"type":"history","channel":"c","before":%q,"limit":1}`, h.Events[1].ID))
	if h := s.want("history"); !slices.Equal(payloads(h.Events), []string{`{"a":1}`}) {
		t.Errorf("history before: %s", h.raw)
	}
	s.send(fmt.Sprintf(`{"type":"history","channel":"c","last_event_id":%q}`, h.Events[0].ID))
	if h := s.want("history"); !slices.Equal(payloads(h.Events), []string{"mine"}) {
		t.Errorf("history after: %s", h.raw)
	}
	s.send(`{"type":"publish","ref":4,"channel":"c","text":"brief","ephemeral":true}`)
	for range 2 {
		m := s.read()
		if m.Type != "event" && m.Type != "published" || m.ID != "" || strings.Contains(m.raw, `"id":"`) {
			t.Errorf("ephemeral: %s", m.raw)
		}
	}
	s.send(`{"type":"unsubscribe","ref":6,"channel":"c"}`)
	if m := s.want("unsubscribed"); m.Channel != "c" || string(m.Ref) != "6" {
		t.Errorf("unsubscribed: %s", m.raw)
	}
	n.publish("c", "not for me")
	s.send(`{"type":"unsubscribe","channel":"c"}`)
	s.want("error")
	s.send(`{"type":"ping","ref":7}`)
	if m := s.want("pong"); string(m.Ref) != "7" {
		t.Errorf("pong: %s", m.raw)
	}
	if m, err := s.next(); err != nil || m.Type != "heartbeat" {
		t.Errorf("in silence comes %s, %v", m.raw, err)
	}
}

// nextID is the ID of the last event of a history.
func (m message) nextID(h message) string {
	if len(h.Events) == 0 {
		return m.ID
	}
	return h.Events[len(h.Events)-1].ID
}

// TestSocketErrors: a message that the hub does not understand gets an error,
// with the ref where there is one, and the connection stays.
func TestSocketErrors(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	for _, c := range []struct{ name, text, code, ref string }{
		{"no JSON", `hello`, "bad_request", ""},
		{"no object", `[1]`, "bad_request", ""},
		{"nothing", ``, "bad_request", ""},
		{"half an object", `{"type":"ping"`, "bad_request", ""},
		{"two objects", `{"type":"ping"}{"type":"ping"}`, "bad_request", ""},
		{"no type", `{"ref":1}`, "bad_request", "1"},
		{"an unknown type", `{"type":"dance","ref":"x"}`, "bad_request", `"x"`},
		{"a ref that is neither", `{"type":"ping","ref":{}}`, "bad_request", ""},
		{"no channel", `{"type":"subscribe","ref":2}`, "bad_request", "2"},
		{"a bad channel", `{"type":"subscribe","ref":2,"channel":"a b"}`, "bad_request", "2"},
		{"a bad position", `{"type":"subscribe","ref":2,"channel":"c","last_event_id":"x"}`, "bad_request", "2"},
		{"a bad since", `{"type":"subscribe","ref":2,"channel":"c","since":"10"}`, "bad_request", "2"},
		{"a bad rewind", `{"type":"subscribe","ref":2,"channel":"c","rewind":-1}`, "bad_request", "2"},
		{"a channel that is a number", `{"type":"subscribe","ref":2,"channel":5}`, "bad_request", "2"},
		{"no data", `{"type":"publish","ref":3,"channel":"c"}`, "bad_request", "3"},
		{"data and text", `{"type":"publish","ref":3,"channel":"c","data":1,"text":"x"}`, "bad_request", "3"},
		{"a reserved type", `{"type":"publish","ref":3,"channel":"c","event":"open","data":1}`, "bad_request", "3"},
		{"the hub's channel", `{"type":"publish","ref":3,"channel":"$x","data":1}`, "forbidden", "3"},
		{"data too large", `{"type":"publish","ref":3,"channel":"c","text":"` + strings.Repeat("x", 64<<10+1) + `"}`, "too_large", "3"},
		{"history of everything", `{"type":"history","ref":4,"channel":"c","limit":1001}`, "bad_request", "4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openSocket(t, n.Addr, "/ws")
			s.want("welcome")
			s.send(c.text)
			if m := s.wantError(c.code); string(m.Ref) != c.ref {
				t.Errorf("the ref is %s, want %s", m.Ref, c.ref)
			}
			s.send(`{"type":"ping"}`)
			s.want("pong")
		})
	}
	t.Run("a binary message", func(t *testing.T) {
		s := openSocket(t, n.Addr, "/ws")
		s.want("welcome")
		s.frame(opBinary, true, `{"type":"ping"}`)
		s.wantError("bad_request")
		s.send(`{"type":"ping"}`)
		s.want("pong")
	})
}

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

// TestSocketRate: one too many is told so; who goes on is closed.
func TestSocketRate(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	s := openSocket(t, n.Addr, "/ws")
	s.want("welcome")
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for s.tryFrame(opText, true, `{"type":"ping"}`) == nil {
		}
	}()
	kinds := map[string]int{}
	var err error
	for err == nil {
		var m message
		if m, err = s.next(); err == nil {
			kinds[m.Type+m.Code]++
		}
	}
	var got closed
	if !errors.As(err, &got) || got.code != 4008 {
		t.Errorf("it ends with %v, want the close code 4008", err)
	}
	if kinds["pong"] < 40 || kinds["errorrate_limited"] < 99 {
		t.Errorf("before came %v", kinds)
	}
	s.close()
	<-sent
}

// TestSocketOfManyChannels takes up the cursor of an SSE feed, and has a limit.
// TestSocketFlood: frames that are no messages are bounded too.
func TestSocketFlood(t *testing.T) {
	n := startNode(t)
	s := openSocket(t, n.Addr, "/ws")
	s.want("welcome")
	go func() {
		for s.tryFrame(opPing, true, "") == nil {
		}
	}()
	var err error
	for err == nil {
		_, err = s.next()
	}
	var got closed
	if !errors.As(err, &got) || got.code != 4008 || len(s.pongs) < 100 {
		t.Errorf("after %d pongs it ends with %v, want the close code 4008", len(s.pongs), err)
	}
}

func TestSocketOfManyChannels(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	f := n.subscribe("/events?channel=a&channel=b")
	n.publish("a", "a1")
	n.publish("b", "b1")
	f.read()
	f.read()
	n.publish("a", "a2")
	n.publish("b", "b2")
	s := openSocket(t, n.Addr, "/ws?channel=a&channel=b&last_event_id="+f.lastID)
	s.want("welcome")
	var got []string
	for range 4 {
		m := s.read()
		got = append(got, m.Type+m.payload())
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"eventa2", "eventb2", "subscribed", "subscribed"}) {
		t.Errorf("the WebSocket brings %q", got)
	}
	path := "/ws?channel=x"
	for i := range 63 {
		path += fmt.Sprint("&channel=c", i)
	}
	most := openSocket(t, n.Addr, path)
	most.want("welcome")
	for range 64 {
		most.want("subscribed")
	}
	most.send(`{"type":"subscribe","channel":"one too many"}`)
	most.want("error")
	most.send(`{"type":"subscribe","channel":"one-too-many"}`)
	most.wantError("bad_request")
	over := openSocket(t, n.Addr, path+"&channel=y")
	if _, err := over.next(); err == nil {
		t.Error("65 channels in the URL are welcome")
	}
}

// TestSocketAuth: the first message, none at all, renewal, another user.
func TestSocketAuth(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--jwt-secret", secret)
	ann := hubtest.Token(t, secret, "--sub", "ann", "--subscribe", "c", "--subscribe", "d", "--publish", "c")
	silent := openSocket(t, n.Addr, "/ws")
	began := time.Now()

	s := openSocket(t, n.Addr, "/ws?channel=c")
	s.send(`{"type":"auth","ref":"a","token":"` + ann + `"}`)
	kinds := map[string]message{}
	for range 3 {
		m := s.read()
		kinds[m.Type] = m
	}
	if a := kinds["auth"]; string(a.Ref) != `"a"` || a.User == nil || *a.User != "ann" || a.ExpiresAt == nil {
		t.Errorf("auth: %s", a.raw)
	}
	if w := kinds["welcome"]; w.User == nil || *w.User != "ann" || kinds["subscribed"].Channel != "c" {
		t.Errorf("the WebSocket brings %v", kinds)
	}
	s.send(`{"type":"publish","channel":"c","text":"from ann"}`)
	for range 2 {
		if m := s.read(); m.Type == "event" && m.From != "ann" {
			t.Errorf("the event is %s", m.raw)
		}
	}
	s.send(`{"type":"subscribe","channel":"user:ann"}`)
	s.want("subscribed")
	s.send(`{"type":"subscribe","ref":1,"channel":"user:bob"}`)
	s.wantError("forbidden")
	s.send(`{"type":"publish","ref":2,"channel":"d","text":"x"}`)
	s.wantError("forbidden")
	s.send(`{"type":"history","ref":3,"channel":"e"}`)
	s.wantError("forbidden")

	s.send(`{"type":"auth","ref":"bob","token":"` + hubtest.Token(t, secret, "--sub", "bob", "--subscribe", "c") + `"}`)
	s.wantError("forbidden")
	s.send(`{"type":"auth","ref":"less","token":"` + hubtest.Token(t, secret, "--sub", "ann", "--subscribe", "d") + `"}`)
	less := map[string]message{}
	for range 2 {
		m := s.read()
		less[m.Type] = m
	}
	if u := less["unsubscribed"]; u.Channel != "c" || u.Code != "forbidden" || less["auth"].raw == "" {
		t.Errorf("with fewer rights come %v", less)
	}
	s.send(`{"type":"auth","token":"x"}`)
	s.wantClose(4001)

	before := openSocket(t, n.Addr, "/ws")
	before.send(`{"type":"subscribe","channel":"c","ref":9}`)
	before.wantError("unauthorized")
	bad := openSocket(t, n.Addr, "/ws")
	bad.send(`{"type":"auth","token":"` + sign(t, "another secret", map[string]any{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix()}) + `"}`)
	bad.wantClose(4001)

	if before := silent.wantClose(4001); len(before) > 0 {
		t.Errorf("without a token comes %s", before[0].raw)
	}
	if took := time.Since(began); took < 4*time.Second || took > 20*time.Second {
		t.Errorf("after %v", took)
	}
}

// TestSocketRefusals: a script sees close codes only, but for a wrong Origin.
func TestSocketRefusals(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--jwt-secret", secret, "--origin", "https://app.example.com")
	ann := hubtest.Token(t, secret, "--sub", "ann", "--subscribe", "c")
	for name, path := range map[string]string{
		"a channel that is not allowed": "/channels/d/ws?access_token=" + ann,
		"a channel that is none":        "/channels/a%20b/ws?access_token=" + ann,
	} {
		if before := openSocket(t, n.Addr, path).wantClose(4003); len(before) > 0 {
			t.Errorf("%s: first comes %s", name, before[0].raw)
		}
	}
	openSocket(t, n.Addr, "/ws?access_token=x").wantClose(4001)
	openSocket(t, n.Addr, "/ws", "Authorization: Bearer x").wantClose(4001)
	expired := sign(t, secret, map[string]any{"sub": "ann", "exp": time.Now().Add(-time.Second).Unix()})
	openSocket(t, n.Addr, "/ws?access_token="+expired).wantClose(4001)

	openSocket(t, n.Addr, "/ws?channel=c&channel=d&access_token="+ann).wantClose(4003)
	for origin, want := range map[string]int{
		"https://app.example.com": 101, "http://" + n.Addr: 101,
		"https://evil.example.com": 403, "null": 403, "http://app.example.com": 403,
	} {
		s, a, err := trySocket(t, n.Addr, "/ws?channel=c&access_token="+ann, "Origin: "+origin)
		if err != nil || a.status != want {
			t.Errorf("origin %s: status %d, %v", origin, a.status, err)
		} else if s != nil {
			s.want("welcome")
			s.close()
		} else {
			wantError(t, a, 403, "forbidden")
		}
	}
}

// TestSocketsRefusedAreBounded: those who stay on after a refusal do not take
// all files; the next one is refused by a status.
func TestSocketsRefusedAreBounded(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--jwt-secret", secret)
	for i := range 140 {
		s, a, err := trySocket(t, n.Addr, "/ws?access_token=x")
		switch {
		case err != nil:
			t.Fatal(err)
		case s == nil && i < 100:
			t.Fatalf("the %d. has status %d", i, a.status)
		case s == nil:
			wantError(t, a, 401, "unauthorized")
			return
		}
		defer s.close()
	}
	t.Error("140 refused connections are open")
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

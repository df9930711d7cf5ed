package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
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

package server

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"runnel/auth"
)

func TestReadMessage(t *testing.T) {
	for raw, want := range map[string]string{
		`{"type":"ping"}`:                               "",
		`{"type":"ping","ref":1.5e3}`:                   "",
		`{"type":"subscribe","channel":"a","rewind":3}`: "",
		`{"type":"publish","channel":"a","data":null}`:  "",
		`{"type":"publish","channel":"a","rewind":3}`:   `a publish message has no "rewind"`,
		`{"type":"subscribe","channel":"a","since"}`:    "not a JSON object",
		`{"type":"subscribe","lastEventId":"1-1"}`:      `there is no member "lastEventId"; last_event_id is meant`,
		`{"type":"ping","type":"ping"}`:                 `"type" comes twice`,
		`{"type":"presence","channel":"a"}`:             `there is no message type "presence"`,
		`{"type":"ping","ref":{}}`:                      "ref is a string or a number of at most 256 bytes",
		`{"type":"ping","ref":null}`:                    "ref is a string or a number of at most 256 bytes",
		`{"type":5}`:                                    `"type" cannot be a JSON number`,
		`[]`:                                            "not a JSON object",
		`{"type":"ping"} {}`:                            "something follows the JSON object",
		"{\"type\":\"ping\",\"ref\":\"\xff\"}":          "not UTF-8",
		``:                                              "not a JSON object",
	} {
		_, err := readMessage([]byte(raw))
		if got := sentence(err); got != want {
			t.Errorf("%s: %q, not %q", raw, got, want)
		}
	}
}

func sentence(err error) string {
	if err == nil {
		return ""
	}
	return describe(err).message
}

// FuzzMessage: whatever a client sends, it is understood or refused with a
// client's error; a ref is echoed as it was; a publication that passes is one
// that every transport can carry.
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{
		`{"type":"publish","channel":"a","data":{"x":1},"ref":"r","echo":false,"idempotency_key":"k"}`,
		`{"type":"publish","channel":"a","text":"a\r\nb","event":"e"}`,
		`{"type":"subscribe","channel":"a","last_event_id":"1-1","ref":7}`,
		`{"type":"subscribe","channel":"a","since":"10m"}`,
		`{"type":"history","channel":"a","before":"5-5","limit":10}`,
		`{"type":"auth","token":"x.y.z"}`, `{"type":"ping","ref":-0.5}`, `{"type":"\u0070ing"}`, `{`, "{\"type\":\"ping\",\"ref\":\"\x00\"}",
	} {
		f.Add([]byte(seed))
	}
	s := startNode(f, demo).Server
	claims := &auth.Claims{Demo: true}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := readMessage(raw)
		if m.ref != nil && !(json.Valid(m.ref) && bytes.Contains(raw, m.ref)) {
			t.Fatalf("ref %q", m.ref)
		}
		if err != nil {
			if e := describe(err); e.code != codeBadRequest || !utf8.ValidString(e.message) {
				t.Fatalf("%s: %s", e.code, e.message)
			}
			return
		}
		if !json.Valid(raw) {
			t.Fatalf("%q was understood", raw)
		}
		_, _ = m.beginning()
		_, _ = m.pageQuery()
		checkPublication(t, s, claims, m)
	})
}

func checkPublication(t *testing.T, s *Server, claims *auth.Claims, m *message) {
	p, err := m.publication()
	if m.kind != "publish" || err != nil {
		return
	}
	d, err := s.draft(claims, p)
	if err != nil {
		return
	}
	if len(d.Data) == 0 || !utf8.Valid(d.Data) || bytes.ContainsRune(d.Data, '\r') {
		t.Fatalf("data %q", d.Data)
	}
	if !d.Text && !json.Valid(d.Data) {
		t.Fatalf("no JSON: %q", d.Data)
	}
	if strings.ContainsAny(d.Type, "\r\n\x00") {
		t.Fatalf("event type %q", d.Type)
	}
}

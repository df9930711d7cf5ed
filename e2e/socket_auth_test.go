package e2e

import (
	"testing"
	"time"

	"runnel/hubtest"
)

// TestSocketAuth: the first message, none at all, renewal, another user.
func TestSocketAuth(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--jwt-secret", secret)
	ann := hubtest.Token(t, secret, "--sub", "ann", "--subscribe", "c", "--subscribe", "d", "--publish", "c")
	began := time.Now()
	silent := openSocket(t, n.Addr, "/ws")

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
	if took := time.Since(began); took < 4*time.Second || took > patience {
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

package server

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"runnel/auth"
)

const (
	asJSON = "application/json"
	asText = "text/plain"
)

func TestPublishStoresTheBodyAsItIs(t *testing.T) {
	n := startNode(t)
	for i, c := range []struct{ kind, body, want string }{
		{asJSON, `{"a":1.00000000000000000000000000001,"big":123456789012345678901234567890}`, ""},
		{asJSON, " [1,\n\n 2 ]\n", ""},
		{asJSON, "{\r\n\"a\":\r1}", "{\n\"a\":\n1}"},
		{asJSON, `"\r\n\u2028\ud800"`, ""},
		{asJSON, "null", ""},
		{asJSON + "; charset=UTF-8", `"é"`, ""},
		{asText, "\r\n\r: a\n\nb", "\n\n: a\n\nb"},
		{asText + ";charset=utf-8", " \u2028\x00 ", ""},
	} {
		channel := fmt.Sprintf("c%d", i)
		r := n.publish("/channels/"+channel+"/events", c.kind, c.body)
		if r.StatusCode != http.StatusCreated {
			t.Fatalf("%q: %d %s", c.body, r.StatusCode, r.body)
		}
		if c.want == "" {
			c.want = c.body
		}
		events := n.stored(channel)
		if len(events) != 1 || string(events[0].Data) != c.want || events[0].Text != strings.HasPrefix(c.kind, asText) {
			t.Fatalf("%q was stored as %+v", c.body, events)
		}
		var got struct {
			ID      *string
			Channel string
		}
		decodeAll(t, r.body, &got)
		if got.ID == nil || *got.ID != events[0].ID.String() || got.Channel != channel {
			t.Errorf("answer %s for %v", r.body, events[0].ID)
		}
	}
}

func TestPublishNamesTypeUserAndChannel(t *testing.T) {
	n := startNode(t)
	user := n.token(auth.Claims{Subject: "alice", Publish: patterns(t, "chat:*")})
	r := n.send(request{method: "POST", path: "/channels/chat%3A42/events?event=moved&unknown=x", kind: asJSON, body: "1", token: user})
	if r.StatusCode != http.StatusCreated {
		t.Fatal(r.body)
	}
	n.publish("/channels/chat:42/events?event=message", asJSON, "2")
	events := n.stored("chat:42")
	if len(events) != 2 || events[0].Type != "moved" || events[0].From != "alice" || events[1].Type != "" || events[1].From != "" {
		t.Errorf("stored %+v", events)
	}
}

func TestPublishEphemeral(t *testing.T) {
	n := startNode(t)
	r := n.publish("/channels/c/events?ephemeral=true", asJSON, "1")
	if r.StatusCode != http.StatusAccepted || r.body != `{"id":null,"channel":"c"}` {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if events := n.stored("c"); len(events) != 0 {
		t.Errorf("stored %+v", events)
	}
}

func TestPublishOnceForAKey(t *testing.T) {
	n := startNode(t)
	alice := n.token(auth.Claims{Subject: "alice", Publish: patterns(t, "**")})
	bob := n.token(auth.Claims{Subject: "bob", Publish: patterns(t, "**")})
	post := func(token, query, body string) reply {
		return n.send(request{method: "POST", path: "/channels/c/events" + query, kind: asJSON, body: body, token: token, header: []string{"Idempotency-Key: k 1"}})
	}
	first := post(alice, "", "1")
	if again := post(alice, "", "1"); again.StatusCode != http.StatusCreated || again.body != first.body {
		t.Errorf("again: %d %s, first %s", again.StatusCode, again.body, first.body)
	}
	n.wantCode(post(alice, "", "2"), http.StatusConflict, codeConflict)
	n.wantCode(post(alice, "?event=other", "1"), http.StatusConflict, codeConflict)
	if other := post(bob, "", "1"); other.StatusCode != http.StatusCreated || other.body == first.body {
		t.Errorf("somebody else's key: %d %s", other.StatusCode, other.body)
	}
	if len(n.stored("c")) != 2 {
		t.Errorf("stored %d events, want 2", len(n.stored("c")))
	}
}

func TestPublishRefuses(t *testing.T) {
	n := startNode(t)
	ok := "/channels/c/events"
	alice := n.token(auth.Claims{Subject: "alice", Publish: patterns(t, "chat:*")})
	deep := strings.Repeat("[", maxNesting+1) + strings.Repeat("]", maxNesting+1)
	bomb := strings.Repeat("[", 60<<10)
	for _, c := range []struct {
		name, path, kind, body, token, header string
		status                                int
		code                                  string
	}{
		{"no token", ok, asJSON, "1", "", "", 401, codeUnauthorized},
		{"bad token", ok, asJSON, "1", "nonsense", "", 401, codeUnauthorized},
		{"no right", ok, asJSON, "1", alice, "", 403, codeForbidden},
		{"other user's channel", "/channels/user:bob/events", asJSON, "1", alice, "", 403, codeForbidden},
		{"own channel of the hub", "/channels/$node:n1/events", asJSON, "1", testAPIKey, "", 403, codeForbidden},
		{"own channel, escaped", "/channels/%24node:n1/events", asJSON, "1", testAPIKey, "", 403, codeForbidden},
		{"bad name", "/channels/a%20b/events", asJSON, "1", testAPIKey, "", 400, codeBadRequest},
		{"dots", "/channels/%2e%2e/events", asJSON, "1", testAPIKey, "", 400, codeBadRequest},
		{"slash in name", "/channels/a%2Fb/events", asJSON, "1", testAPIKey, "", 400, codeBadRequest},
		{"long name", "/channels/" + strings.Repeat("a", 129) + "/events", asJSON, "1", testAPIKey, "", 400, codeBadRequest},
		{"no type", ok, "", "1", testAPIKey, "", 415, codeUnsupportedMedia},
		{"form", ok, "application/x-www-form-urlencoded", "a=1", testAPIKey, "", 415, codeUnsupportedMedia},
		{"latin1", ok, asText + "; charset=iso-8859-1", "a", testAPIKey, "", 415, codeUnsupportedMedia},
		{"broken media type", ok, "application/json; charset", "1", testAPIKey, "", 415, codeUnsupportedMedia},
		{"gzip", ok, asJSON, "1", testAPIKey, "Content-Encoding: gzip", 415, codeUnsupportedMedia},
		{"empty", ok, asText, "", testAPIKey, "", 400, codeBadRequest},
		{"empty JSON", ok, asJSON, "", testAPIKey, "", 400, codeBadRequest},
		{"blank JSON", ok, asJSON, " \n", testAPIKey, "", 400, codeBadRequest},
		{"no JSON", ok, asJSON, "{a:1}", testAPIKey, "", 400, codeBadRequest},
		{"two values", ok, asJSON, "1 2", testAPIKey, "", 400, codeBadRequest},
		{"raw CR in a string", ok, asJSON, "\"a\rb\"", testAPIKey, "", 400, codeBadRequest},
		{"BOM", ok, asJSON, "\ufeff1", testAPIKey, "", 400, codeBadRequest},
		{"no UTF-8 in JSON", ok, asJSON, "\"\xff\"", testAPIKey, "", 400, codeBadRequest},
		{"no UTF-8 in text", ok, asText, "\xed\xa0\x80", testAPIKey, "", 400, codeBadRequest},
		{"too deep", ok, asJSON, deep, testAPIKey, "", 400, codeBadRequest},
		{"bomb", ok, asJSON, bomb, testAPIKey, "", 400, codeBadRequest},
		{"too large", ok, asText, strings.Repeat("a", 64<<10+1), testAPIKey, "", 413, codeTooLarge},
		{"type with LF", ok + "?event=a%0Aid:%201", asJSON, "1", testAPIKey, "", 400, codeBadRequest},
		{"type with C1", ok + "?event=a%C2%85", asJSON, "1", testAPIKey, "", 400, codeBadRequest},
		{"type no UTF-8", ok + "?event=%ff", asJSON, "1", testAPIKey, "", 400, codeBadRequest},
		{"long type", ok + "?event=" + strings.Repeat("a", 129), asJSON, "1", testAPIKey, "", 400, codeBadRequest},
		{"reserved type", ok + "?event=runnel.gap", asJSON, "1", testAPIKey, "", 400, codeBadRequest},
		{"open", ok + "?event=open", asJSON, "1", testAPIKey, "", 400, codeBadRequest},
		{"error", ok + "?event=error", asJSON, "1", testAPIKey, "", 400, codeBadRequest},
		{"broken query", ok + "?event=%zz", asJSON, "1", testAPIKey, "", 400, codeBadRequest},
		{"odd ephemeral", ok + "?ephemeral=yes", asJSON, "1", testAPIKey, "", 400, codeBadRequest},
		{"exclude of nobody", ok + "?exclude=x", asJSON, "1", testAPIKey, "", 403, codeForbidden},
		{"empty key", ok, asJSON, "1", testAPIKey, "Idempotency-Key: ", 400, codeBadRequest},
		{"long key", ok, asJSON, "1", testAPIKey, "Idempotency-Key: " + strings.Repeat("k", 257), 400, codeBadRequest},
		{"odd key", ok, asJSON, "1", testAPIKey, "Idempotency-Key: k\u00e9", 400, codeBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := *n
			n.t = t
			r := request{method: "POST", path: c.path, kind: c.kind, body: c.body, token: c.token}
			if c.header != "" {
				r.header = []string{c.header}
			}
			n.wantCode(n.send(r), c.status, c.code)
		})
	}
	if events := n.stored("c"); len(events) != 0 {
		t.Errorf("stored %+v", events)
	}
	two := n.publish(ok, asJSON, "1", "Idempotency-Key: a", "Idempotency-Key: b")
	n.wantCode(two, 400, codeBadRequest)
}

func TestPublishTakesTheLargestData(t *testing.T) {
	n := startNode(t)
	if r := n.publish("/channels/c/events", asText, strings.Repeat("a", 64<<10)); r.StatusCode != http.StatusCreated {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

func TestExcludeIsForOnesOwnConnections(t *testing.T) {
	n := startNode(t)
	alice := n.token(auth.Claims{Subject: "alice", Publish: patterns(t, "**")})
	own, other := newConnectionID("alice"), newConnectionID("bob")
	post := func(token, id string) reply {
		return n.send(request{method: "POST", path: "/channels/c/events?exclude=" + url.QueryEscape(id), kind: asJSON, body: "1", token: token})
	}
	if r := post(alice, own); r.StatusCode != http.StatusCreated {
		t.Errorf("own: %s", r.body)
	}
	n.wantCode(post(alice, other), http.StatusForbidden, codeForbidden)
	if r := post(testAPIKey, other); r.StatusCode != http.StatusCreated {
		t.Errorf("API key: %s", r.body)
	}
	events := n.stored("c")
	if len(events) != 2 || events[0].Exclude != own || events[1].Exclude != other {
		t.Errorf("stored %+v", events)
	}
}

func TestPublishFailsWithItsLog(t *testing.T) {
	n := startNode(t)
	n.store.Close()
	r := n.publish("/channels/c/events", asJSON, "1")
	n.wantCode(r, http.StatusServiceUnavailable, codeUnavailable)
	if r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

// TestEventTypeIsWhatItLooksLike: types that begin with a space or hold what
// nobody sees were taken.
func TestEventTypeIsWhatItLooksLike(t *testing.T) {
	for _, name := range []string{" a", "a ", "\u00a0a", "a\u202eb", "a\u200bb", "a\u2028b", "a\u2029b", "a\u0085b", "a\tb", "\ufeffa"} {
		if _, err := eventType(name); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
	for _, name := range []string{"a b", "é", "移動", "a-b.c"} {
		if got, err := eventType(name); got != name || err != nil {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
}

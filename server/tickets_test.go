package server

import (
	"net/http"
	"strings"
	"testing"

	"runnel/auth"
)

func (n *node) ticket(token, kind, body string) reply {
	n.t.Helper()
	return n.send(request{method: "POST", path: "/tickets", kind: kind, body: body, token: token})
}

func TestTickets(t *testing.T) {
	n := startNode(t)
	alice := n.token(auth.Claims{Subject: "alice", Publish: patterns(t, "c"), Subscribe: patterns(t, "chat:*")})
	r := n.ticket(alice, "", "")
	if r.StatusCode != http.StatusCreated {
		t.Fatal(r.body)
	}
	var got struct {
		Ticket    string
		ExpiresIn int `json:"expires_in"`
	}
	decodeAll(t, r.body, &got)
	if got.Ticket == "" || got.ExpiresIn != 30 {
		t.Errorf("%+v", got)
	}
	use := func(ticket string) reply {
		return n.send(request{method: "POST", path: "/channels/c/events?ticket=" + ticket, kind: asJSON, body: "1"})
	}
	if r := use(got.Ticket); r.StatusCode != http.StatusCreated {
		t.Errorf("first use: %s", r.body)
	}
	n.wantCode(use(got.Ticket), http.StatusUnauthorized, codeUnauthorized)

	r = n.ticket(alice, asJSON, `{"channels":["chat:1","user:alice"]}`)
	if r.StatusCode != http.StatusCreated {
		t.Fatal(r.body)
	}
	decodeAll(t, r.body, &got)
	if got.ExpiresIn < 3500 {
		t.Errorf("a ticket for channels ends in %d s", got.ExpiresIn)
	}
	n.wantCode(use(got.Ticket), http.StatusForbidden, codeForbidden)
	n.wantCode(n.send(request{method: "POST", path: "/tickets?ticket=" + got.Ticket}), http.StatusForbidden, codeForbidden)
}

func TestTicketsRefuse(t *testing.T) {
	n := startNode(t)
	alice := n.token(auth.Claims{Subject: "alice", Subscribe: patterns(t, "chat:*")})
	n.wantCode(n.ticket("", "", ""), http.StatusUnauthorized, codeUnauthorized)
	n.wantCode(n.ticket(testAPIKey, "", ""), http.StatusForbidden, codeForbidden)
	n.wantCode(n.ticket(alice, asText, `{"channels":["chat:1"]}`), http.StatusUnsupportedMediaType, codeUnsupportedMedia)
	n.wantCode(n.ticket(alice, asJSON, strings.Repeat(" ", 9<<10)), http.StatusRequestEntityTooLarge, codeTooLarge)
	n.wantCode(n.ticket(alice, asJSON, `{"channels":["other"]}`), http.StatusForbidden, codeForbidden)
	many := `"chat:1"` + strings.Repeat(`,"chat:1"`, 32)
	for _, body := range []string{`{"channels":[]}`, `{"channels":null}`, `{"channel":["chat:1"]}`, `{"channels":["chat: 1"]}`,
		`{"channels":"chat:1"}`, `[]`, `{`, `{"channels":[` + many + `]}`, `{"channels":["chat:1"]} x`, "\xff"} {
		n.wantCode(n.ticket(alice, asJSON, body), http.StatusBadRequest, codeBadRequest)
	}
	if r := n.ticket(alice, asJSON, `{}`); r.StatusCode != http.StatusCreated {
		t.Errorf("{}: %s", r.body)
	}
}

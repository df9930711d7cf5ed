package e2e

import (
	"testing"
	"time"
)

// ticket asks for one; channels is the body, "" for one use.
func (n *node) ticket(body string, user map[string]any) string {
	n.t.Helper()
	a := call(n.t, "POST", n.URL+"/tickets", body, asJSON, bearer(n.t, user))
	wantStatus(n.t, a, 201)
	return parse[struct{ Ticket string }](n.t, a.body).Ticket
}

func bearer(t testing.TB, user map[string]any) string {
	return "Authorization: Bearer " + sign(t, secret, user)
}

func wantStatus(t testing.TB, a answer, status int) {
	t.Helper()
	if a.status != status {
		t.Fatalf("%d %s, want %d", a.status, a.body, status)
	}
}

func ann() map[string]any {
	return map[string]any{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix(), "runnel": map[string]any{"subscribe": []string{"c"}}}
}

// TestTicketsOutliveTheHub: an EventSource has a ticket in its URL for as long
// as its page is open, whatever becomes of the hub; what was used once stays so.
func TestTicketsOutliveTheHub(t *testing.T) {
	t.Parallel()
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startNodeEnv(t, []string{"RUNNEL_JWT_SECRET=" + secret}, store...)
			issued := time.Now()
			many, once, unused := n.ticket(`{"channels":["c"]}`, ann()), n.ticket("", ann()), n.ticket("", ann())
			open := func(ticket string) answer { return call(t, "GET", n.URL+events("c")+"?ticket="+ticket, "") }
			openFeed(t, n.Addr, events("c")+"?ticket="+many).welcome()
			wantStatus(t, open(once), 200)
			wantError(t, open(once), 401, "unauthorized")
			n.Kill()
			n.Restart()
			openFeed(t, n.Addr, events("c")+"?ticket="+many).welcome()
			wantError(t, open(once), 401, "unauthorized")
			a := open(unused)
			switch {
			case name == "memory": // which does not know what was used
				wantError(t, a, 401, "unauthorized")
			case time.Since(issued) < 30*time.Second: // not so on a machine that is too busy
				wantStatus(t, a, 200)
			}
			wantError(t, open(unused), 401, "unauthorized")
		})
	}
}

// TestTicketsOnTwoNodes: a ticket of one node is good on the other, and a use
// of it known there.
func TestTicketsOnTwoNodes(t *testing.T) {
	t.Parallel()
	store := stores(t)["redis"]
	env := []string{"RUNNEL_JWT_SECRET=" + secret}
	a, b := startNodeEnv(t, env, store...), startNodeEnv(t, env, store...)
	open := func(n *node, ticket string) answer { return call(t, "GET", n.URL+events("c")+"?ticket="+ticket, "") }
	many := a.ticket(`{"channels":["c"]}`, ann())
	for _, n := range []*node{a, b, a} {
		wantStatus(t, open(n, many), 200)
	}
	for _, nodes := range [][2]*node{{a, b}, {b, a}} {
		once := nodes[0].ticket("", ann())
		wantStatus(t, open(nodes[1], once), 200)
		wantError(t, open(nodes[0], once), 401, "unauthorized")
		wantError(t, open(nodes[1], once), 401, "unauthorized")
	}
}

package auth

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func ticketRequest(v *Verifier, ticket string) (*Claims, error) {
	return v.Request(context.Background(), request("/ws?ticket="+ticket))
}

// issuer is a hub with one user's claims.
func issuer(t testing.TB, c Config) (*Verifier, *Claims) {
	t.Helper()
	c.Secrets = [][]byte{secret}
	v := verifier(t, c)
	user, err := v.Verify(context.Background(), hmacToken(t, map[string]any{"runnel": map[string]any{
		"subscribe": []string{"chat:*"}, "publish": []string{"chat:1"}, "presence": []string{"chat:2"}, "device": "phone", "admin": true,
	}}))
	if err != nil {
		t.Fatal(err)
	}
	return v, user
}

func issue(t testing.TB, v *Verifier, c *Claims, channels ...string) (string, time.Duration) {
	t.Helper()
	ticket, life, err := v.IssueTicket(context.Background(), c, channels)
	if err != nil {
		t.Fatal(err)
	}
	return ticket, life
}

func TestTicketOnce(t *testing.T) {
	v, user := issuer(t, Config{})
	ticket, life := issue(t, v, user)
	if life != 30*time.Second || len(ticket) != ticketLen {
		t.Errorf("%q for %v", ticket, life)
	}
	c, err := ticketRequest(v, ticket)
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject != "ann" || !c.Expires.Equal(user.Expires) || c.Device != "phone" || !c.Admin || c.Publisher() != user.Publisher() || c.Channels != nil ||
		!c.MaySubscribe("chat:9") || !c.MaySubscribe("user:ann") || c.MaySubscribe("news") || !c.MayPublish("chat:1") || c.MayPublish("chat:2") || !c.MaySeePresence("chat:2") {
		t.Errorf("%+v", c)
	}
	_, err = ticketRequest(v, ticket)
	wantErr(t, err, ErrInvalid)
}

func TestTicketForChannels(t *testing.T) {
	v, user := issuer(t, Config{})
	ticket, life := issue(t, v, user, "chat:1", "user:ann")
	if left := time.Until(user.Expires); life > left+time.Second || life < left-time.Second {
		t.Errorf("good for %v, the token for %v", life, left)
	}
	for range 3 {
		c, err := ticketRequest(v, ticket)
		if err != nil {
			t.Fatal(err)
		}
		if c.Subject != "ann" || !c.Expires.Equal(user.Expires) || c.Admin || !c.MaySubscribe("chat:1") || !c.MaySubscribe("user:ann") ||
			c.MaySubscribe("chat:2") || c.MayPublish("chat:1") || c.MaySeePresence("chat:2") {
			t.Errorf("%+v", c)
		}
	}
}

func TestTicketForbidden(t *testing.T) {
	v, user := issuer(t, Config{APIKeys: []APIKey{{Key: serverKey}}})
	key, err := v.Verify(context.Background(), serverKey)
	if err != nil {
		t.Fatal(err)
	}
	once, _ := issue(t, v, user)
	fromOnce, err := ticketRequest(v, once)
	if err != nil {
		t.Fatal(err)
	}
	many, _ := issue(t, v, user, "chat:1")
	fromMany, err := ticketRequest(v, many)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		claims   *Claims
		channels []string
	}{
		{"another's channel", user, []string{"chat:1", "user:bob"}},
		{"not readable", user, []string{"news"}},
		{"empty name", user, []string{""}},
		{"empty list", user, []string{}},
		{"too many", user, strings.Split(strings.Repeat("chat:1,", 32)+"chat:1", ",")},
		{"API key", key, nil},
		{"API key for a channel", key, []string{"chat:1"}},
		{"from a ticket", fromOnce, nil},
		{"from a ticket to a lasting one", fromOnce, []string{"chat:1"}},
		{"from a ticket for channels", fromMany, nil},
		{"from a ticket for the same channels", fromMany, []string{"chat:1"}},
	} {
		ticket, _, err := v.IssueTicket(context.Background(), c.claims, c.channels)
		if ticket != "" || !errors.Is(err, ErrForbidden) {
			t.Errorf("%s: %q, %v", c.name, ticket, err)
		}
	}
}

func TestTicketOfAnotherKind(t *testing.T) {
	v, user := issuer(t, Config{})
	once, _ := issue(t, v, user)
	many, _ := issue(t, v, user, "chat:1")
	for _, forged := range []string{"c" + once[1:], "s" + many[1:], "x" + many[1:], once[1:], once + "A", strings.ToLower(many), ""} {
		_, err := ticketRequest(v, forged)
		wantErr(t, err, ErrInvalid)
	}
	if _, err := ticketRequest(v, once); err != nil {
		t.Error("the forgeries used it up:", err)
	}
}

func TestTicketIsTakenOnce(t *testing.T) {
	v, user := issuer(t, Config{})
	for range 20 {
		ticket, _ := issue(t, v, user)
		var got atomic.Int64
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if _, err := ticketRequest(v, ticket); err == nil {
					got.Add(1)
				}
			})
		}
		wg.Wait()
		if got.Load() != 1 {
			t.Fatalf("%d of 16 got in with one ticket", got.Load())
		}
	}
}

func TestTicketLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, user := issuer(t, Config{})
		late, _ := issue(t, v, user)
		intime, _ := issue(t, v, user)
		many, _ := issue(t, v, user, "chat:1")
		time.Sleep(ticketLife - 1)
		if _, err := ticketRequest(v, intime); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Nanosecond)
		_, err := ticketRequest(v, late)
		wantErr(t, err, ErrInvalid)

		// A ticket of a token that is about to end ends with it.
		time.Sleep(time.Until(user.Expires) - 10*time.Second)
		short, life := issue(t, v, user)
		if life != 10*time.Second {
			t.Errorf("good for %v, the token for 10 s", life)
		}
		if _, err := ticketRequest(v, many); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Second)
		for _, ticket := range []string{short, many} {
			if _, err := ticketRequest(v, ticket); err == nil {
				t.Error("a ticket outlived its token")
			}
		}
		for _, channels := range [][]string{nil, {"chat:1"}} {
			_, _, err := v.IssueTicket(context.Background(), user, channels)
			wantErr(t, err, ErrExpired)
		}
	})
}

// forgetful is a store that keeps values beyond their time.
type forgetful struct{ *MemoryTickets }

func (s forgetful) PutTicket(ctx context.Context, owner string, most int, key string, value []byte, _ time.Duration) error {
	return s.MemoryTickets.PutTicket(ctx, owner, most, key, value, 1000*time.Hour)
}

func TestTicketEndsWithTokenWhateverTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, user := issuer(t, Config{Tickets: forgetful{NewMemoryTickets()}})
		many, _ := issue(t, v, user, "chat:1")
		time.Sleep(time.Until(user.Expires))
		_, err := ticketRequest(v, many)
		wantErr(t, err, ErrExpired)
	})
}

// A ticket says nothing in the store, and is nothing once its secret is gone.
func TestTicketAcrossNodes(t *testing.T) {
	shared := NewMemoryTickets()
	a, user := issuer(t, Config{Tickets: shared})
	b, _ := issuer(t, Config{Tickets: shared})
	ticket, _ := issue(t, a, user, "chat:1")
	for key, kept := range shared.kept {
		if strings.Contains(key+string(kept.value), ticket[1:]) {
			t.Error("the store holds the ticket itself")
		}
	}
	if _, err := ticketRequest(b, ticket); err != nil {
		t.Error(err)
	}
	if err := b.Reload(context.Background(), Config{Secrets: [][]byte{secondary}}); err != nil {
		t.Fatal(err)
	}
	_, err := ticketRequest(b, ticket)
	wantErr(t, err, ErrInvalid)
}

func TestDemoTicket(t *testing.T) {
	shared := NewMemoryTickets()
	demo := verifier(t, Config{Tickets: shared})
	ticket, life, err := demo.IssueTicket(context.Background(), demoClaims(), []string{"chat:1"})
	if err != nil || life <= 0 {
		t.Fatal(err)
	}
	if _, err := demo.Request(context.Background(), request("/?ticket="+ticket, "Host: localhost")); err != nil {
		t.Error(err)
	}
	v, _ := issuer(t, Config{Tickets: shared})
	_, err = ticketRequest(v, ticket)
	wantErr(t, err, ErrInvalid)
}

type brokenTickets struct{}

var errBroken = errors.New("connection to 10.1.2.3:6379 refused")

func (brokenTickets) PutTicket(context.Context, string, int, string, []byte, time.Duration) error {
	return errBroken
}
func (brokenTickets) GetTicket(context.Context, string) ([]byte, error)  { return nil, errBroken }
func (brokenTickets) TakeTicket(context.Context, string) ([]byte, error) { return nil, errBroken }

func TestTicketStoreAway(t *testing.T) {
	v, user := issuer(t, Config{Tickets: brokenTickets{}})
	_, _, issueErr := v.IssueTicket(context.Background(), user, nil)
	_, onceErr := ticketRequest(v, newTicket(singleUse))
	_, manyErr := ticketRequest(v, newTicket(forChannels))
	for _, err := range []error{issueErr, onceErr, manyErr} {
		wantErr(t, err, ErrUnavailable)
		if !errors.Is(err, errBroken) || strings.Contains(err.Error(), "10.1.2.3") {
			t.Errorf("%v: the cause belongs beside the sentence", err)
		}
	}
}

// TestTicketStoreAwayDoesNotFloodTheLog: anybody can ask for a ticket that
// there is not.
func TestTicketStoreAwayDoesNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		v, _ := issuer(t, Config{Tickets: brokenTickets{}, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
		logged := func(want int) {
			t.Helper()
			for range 100 {
				_, err := ticketRequest(v, newTicket(singleUse))
				wantErr(t, err, ErrUnavailable)
			}
			if n := strings.Count(lines.String(), errBroken.Error()); n != want {
				t.Errorf("%d lines, want %d", n, want)
			}
		}
		logged(1)
		time.Sleep(time.Second)
		logged(2)
	})
}

// One user's tickets end, the oldest first, and nobody else's.
func TestTicketsOfAUserAreBounded(t *testing.T) {
	v, ann := issuer(t, Config{})
	bob, err := v.Verify(context.Background(), hmacToken(t, map[string]any{"sub": "bob"}))
	if err != nil {
		t.Fatal(err)
	}
	others, _ := issue(t, v, bob, "user:bob")
	var tickets []string
	for range maxTickets + 3 {
		ticket, _ := issue(t, v, ann, "chat:1")
		tickets = append(tickets, ticket)
	}
	for i, ticket := range append(tickets, others) {
		if _, err := ticketRequest(v, ticket); (err == nil) != (i >= 3) {
			t.Errorf("ticket %d: %v", i, err)
		}
	}
}

func TestMemoryTicketsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, ctx := NewMemoryTickets(), context.Background()
		value := make([]byte, 1<<20)
		put := 0
		for ; m.PutTicket(ctx, "ann", 100, newTicket(singleUse), value, time.Minute) == nil; put++ {
			if put > 100 {
				t.Fatal("no bound")
			}
		}
		if put != 15 {
			t.Errorf("%d MiB fit into 16 with what is around them", put)
		}
		time.Sleep(time.Minute)
		if err := m.PutTicket(ctx, "ann", 100, "key", value, time.Minute); err != nil {
			t.Error("dead tickets take room:", err)
		}
		if err := m.PutTicket(ctx, "ann", 100, "key", []byte("new"), time.Minute); err != nil || len(m.kept) != 1 || m.bytes != 3+ticketOverhead {
			t.Errorf("%v, %d kept, %d bytes", err, len(m.kept), m.bytes)
		}
		if b, err := m.TakeTicket(ctx, "key"); string(b) != "new" || err != nil || m.bytes != 0 {
			t.Errorf("%q, %v, %d bytes left", b, err, m.bytes)
		}
		if b, err := m.GetTicket(ctx, "key"); b != nil || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	})
}

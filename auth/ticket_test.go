package auth

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
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
	if life != 30*time.Second {
		t.Errorf("%q for %v", ticket, life)
	}
	c, err := ticketRequest(v, ticket)
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject != "ann" || !c.Expires.Equal(user.Expires) || c.Device != "phone" || !c.Admin || c.Publisher() != user.Publisher() || c.only != nil ||
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

func TestDemoTicket(t *testing.T) {
	shared := newProcessRecords()
	demo := verifier(t, Config{Records: shared})
	ticket, life, err := demo.IssueTicket(context.Background(), demoClaims(), []string{"chat:1"})
	if err != nil || life <= 0 {
		t.Fatal(err)
	}
	if _, err := demo.Request(context.Background(), request("/?ticket="+ticket, "Host: localhost")); err != nil {
		t.Error(err)
	}
	v, _ := issuer(t, Config{Records: shared})
	_, err = ticketRequest(v, ticket)
	wantErr(t, err, ErrInvalid)
}

// brokenRecords fail while they are away.
type brokenRecords struct {
	*processRecords
	away atomic.Bool
}

var errBroken = errors.New("connection to 10.1.2.3:6379 refused")

func (b *brokenRecords) Record(ctx context.Context, key string) ([]byte, error) {
	if b.away.Load() {
		return nil, errBroken
	}
	return b.processRecords.Record(ctx, key)
}

func (b *brokenRecords) SwapRecord(ctx context.Context, key string, old, value []byte, life time.Duration) (bool, error) {
	if b.away.Load() {
		return false, errBroken
	}
	return b.processRecords.SwapRecord(ctx, key, old, value, life)
}

// A ticket for one use needs the store; the others do not, where the node knows
// its keys.
func TestTicketStoreAway(t *testing.T) {
	store := &brokenRecords{processRecords: newProcessRecords()}
	knows, user := issuer(t, Config{Records: store})
	once, _ := issue(t, knows, user)
	many, _ := issue(t, knows, user, "chat:1")
	store.away.Store(true)
	fresh, _ := issuer(t, Config{Records: store})
	if _, err := ticketRequest(knows, many); err != nil {
		t.Error(err)
	}
	_, onceErr := ticketRequest(knows, once)
	_, freshErr := ticketRequest(fresh, many)
	_, _, issueErr := fresh.IssueTicket(context.Background(), user, nil)
	for _, err := range []error{onceErr, freshErr, issueErr} {
		wantErr(t, err, ErrUnavailable)
		if !errors.Is(err, errBroken) || strings.Contains(err.Error(), "10.1.2.3") {
			t.Errorf("%v: the cause belongs beside the sentence", err)
		}
	}
	store.away.Store(false)
	if _, err := ticketRequest(knows, once); err != nil {
		t.Error("the failure used it up:", err)
	}
	eventually(t, "the other node knows the keys", func() bool { _, err := ticketRequest(fresh, many); return err == nil })
}

// TestTicketStoreAwayDoesNotFloodTheLog: anybody can ask for a ticket that
// there is not.
func TestTicketStoreAwayDoesNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		other, user := issuer(t, Config{})
		ticket, _ := issue(t, other, user)
		store := &brokenRecords{processRecords: newProcessRecords()}
		store.away.Store(true)
		v, _ := issuer(t, Config{Records: store, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
		logged := func(want int) {
			t.Helper()
			for range 100 {
				_, err := ticketRequest(v, ticket)
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

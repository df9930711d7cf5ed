package auth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// longUser is a user whose token lasts so long.
func longUser(t testing.TB, v *Verifier, life time.Duration) *Claims {
	t.Helper()
	c, err := v.Verify(context.Background(), hmacToken(t, map[string]any{"exp": time.Now().Add(life).Unix()}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A ticket is good on every node, and a use of it known on every node.
func TestTicketAcrossNodes(t *testing.T) {
	shared := newProcessRecords()
	a, user := issuer(t, Config{Records: shared})
	b, _ := issuer(t, Config{Records: shared})
	many, _ := issue(t, a, user, "chat:1")
	for _, v := range []*Verifier{a, b, b} {
		if _, err := ticketRequest(v, many); err != nil {
			t.Error(err)
		}
	}
	once, _ := issue(t, b, user)
	if _, err := ticketRequest(a, once); err != nil {
		t.Error(err)
	}
	_, err := ticketRequest(b, once)
	wantErr(t, err, ErrInvalid)

	// And ends with what vouched for its token.
	if err := b.Reload(context.Background(), Config{Secrets: [][]byte{secondary}}); err != nil {
		t.Fatal(err)
	}
	_, err = ticketRequest(b, many)
	wantErr(t, err, ErrInvalid)
	if b.Holds(user) {
		t.Error("what it opened would go on")
	}
}

// TestTicketKeysRotate lets two nodes live for three years. Every ticket is
// good on both for as long as it says, and keys do not pile up.
func TestTicketKeysRotate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newProcessRecords()
		nodes := make([]*Verifier, 2)
		for i := range nodes {
			nodes[i], _ = issuer(t, Config{Records: shared})
		}
		type issued struct {
			ticket string
			ends   time.Time
		}
		var tickets []issued
		begin := func(v *Verifier, life time.Duration) {
			ticket, left := issue(t, v, longUser(t, v, life), "user:ann")
			tickets = append(tickets, issued{ticket, time.Now().Add(left)})
		}
		keys := map[keyID]bool{}
		for day := range 3 * 365 {
			v := nodes[day%2]
			begin(v, []time.Duration{time.Hour, 40 * 24 * time.Hour, 2 * maxTicketLife}[day%3])
			latest, _ := parseTicket(tickets[len(tickets)-1].ticket)
			keys[latest.key()] = true
			for i := 0; i < len(tickets); i += 1 + day/5 {
				_, err := ticketRequest(nodes[(day+i)%2], tickets[i].ticket)
				if (err == nil) != time.Now().Before(tickets[i].ends) {
					t.Fatalf("day %d: a ticket that ends in %v: %v", day, time.Until(tickets[i].ends), err)
				}
			}
			if n := len(nodes[0].ticketKeys.(*storedKeys).known.Load().ring); n > int(keyLife/keyTerm)+3 {
				t.Fatalf("day %d: %d keys", day, n)
			}
			time.Sleep(24 * time.Hour)
		}
		if len(keys) < 3*365/30-1 || len(keys) > 3*365/30+1 {
			t.Errorf("%d keys sealed in three years", len(keys))
		}
	})
}

// A node that has not looked at the store for nearly a day knows the key that
// others begin to seal with.
func TestTicketKeysAreThereInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newProcessRecords()
		a, user := issuer(t, Config{Records: store})
		issue(t, a, user)
		var next keyID
		for day := 0; ; day++ {
			time.Sleep(24 * time.Hour)
			issue(t, a, longUser(t, a, time.Hour))
			if known := a.ticketKeys.(*storedKeys).known.Load(); len(known.keys) == 2 {
				next = known.keys[1].id
				break
			}
			if day > 40 {
				t.Fatal("no second key")
			}
		}
		cut := &brokenRecords{processRecords: store}
		b, _ := issuer(t, Config{Records: cut})
		issue(t, b, longUser(t, b, time.Hour))
		cut.away.Store(true)
		for range 30 * 24 {
			time.Sleep(time.Hour)
			ticket, _ := issue(t, a, longUser(t, a, time.Hour), "user:ann")
			if _, err := ticketRequest(b, ticket); err != nil {
				t.Fatal(err)
			}
			if sealed, _ := parseTicket(ticket); sealed.key() == next {
				return
			}
		}
		t.Error("the second key never sealed")
	})
}

// TestTicketKeysLost: a store that was emptied gets the keys back from the
// nodes that know them, beside the one that a new node made meanwhile.
func TestTicketKeysLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newProcessRecords()
		a, user := issuer(t, Config{Records: shared})
		of, _ := issue(t, a, user, "chat:1")
		clear(shared.kept)
		b, _ := issuer(t, Config{Records: shared})
		after, _ := issue(t, b, user, "chat:1")
		time.Sleep(ringAge)
		for range 2 { // the first has a bring its keys back
			for _, ticket := range []string{of, after} {
				if _, err := ticketRequest(a, ticket); err != nil {
					t.Error(err)
				}
			}
			time.Sleep(ringAgain)
		}
		for _, ticket := range []string{of, after} {
			if _, err := ticketRequest(b, ticket); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestTicketKeysLostAgainAndAgain: a store that is emptied as often as a ring has
// room, each time with a new node first and an old one that writes its keys
// back, keeps a ring that the next node can read.
func TestTicketKeysLostAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newProcessRecords()
		old, user := issuer(t, Config{Records: shared})
		issue(t, old, user)
		for range maxRing {
			clear(shared.kept)
			added, user := issuer(t, Config{Records: shared})
			issue(t, added, user)
			time.Sleep(ringAge)
			issue(t, old, user)
		}
		time.Sleep(keyTerm)
		issue(t, old, longUser(t, old, time.Hour))
		next, user := issuer(t, Config{Records: shared})
		ticket, _ := issue(t, next, user)
		if _, err := ticketRequest(old, ticket); err != nil {
			t.Error(err)
		}
		if n := len(next.ticketKeys.(*storedKeys).known.Load().ring); n != maxRing {
			t.Errorf("%d keys, want %d", n, maxRing)
		}
	})
}

// A full ring makes room for the next key, and one with more keys than there may
// be is read all the same: its newest count.
func TestRingAtItsBound(t *testing.T) {
	begin := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	var full ring
	for i := range maxRing {
		full = append(full, ringKey{newSecretKey(), begin.Add(time.Duration(i) * time.Hour)})
	}
	next := full.renewed(begin.Add(2 * keyTerm))
	if len(next) != maxRing || string(next[:maxRing-1].encode()) != string(full[1:].encode()) {
		t.Fatalf("%d keys, want the newest %d and a new one", len(next), maxRing-1)
	}
	longer := append(slices.Clone(full), next[maxRing-1])
	for _, stored := range []ring{next, longer} {
		if read, err := parseRing(stored.encode()); err != nil || string(read.encode()) != string(next.encode()) {
			t.Errorf("%d keys were stored, %d are read: %v", len(stored), len(read), err)
		}
	}
}

// Who asks for keys that there are not makes the node look once a second.
func TestTicketKeysThatThereAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other, user := issuer(t, Config{})
		stranger, _ := issue(t, other, user)
		store := &countedRecords{processRecords: newProcessRecords()}
		v, _ := issuer(t, Config{Records: store})
		for range 1000 {
			_, err := ticketRequest(v, stranger)
			wantErr(t, err, ErrInvalid)
			time.Sleep(10 * time.Millisecond)
		}
		if store.reads > 12 {
			t.Errorf("%d looks at the store in 10 s", store.reads)
		}
	})
}

type countedRecords struct {
	*processRecords
	reads int
}

func (c *countedRecords) Record(ctx context.Context, key string) ([]byte, error) {
	c.reads++
	return c.processRecords.Record(ctx, key)
}

func TestTicketKeysDamaged(t *testing.T) {
	for _, stored := range []string{"x", "{}", `[{"key":"AAAA","from":"2026-01-31T08:00:00Z"}]`} {
		shared := newProcessRecords()
		if ok, err := shared.SwapRecord(context.Background(), ringRecord, nil, []byte(stored), time.Hour); !ok || err != nil {
			t.Fatal(ok, err)
		}
		v, user := issuer(t, Config{Records: shared})
		_, _, err := v.IssueTicket(context.Background(), user, nil)
		if wantErr(t, err, ErrUnavailable); !errors.Is(err, errBadRing) {
			t.Error(err)
		}
	}
}

// Whatever nodes know and stores keep, in whatever order they meet, they end
// with the same keys, which are in order and bounded.
func TestRingsMeet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
		draw := rapid.Custom(func(t *rapid.T) (r ring) {
			for range rapid.IntRange(0, 10).Draw(t, "times") {
				now = now.Add(time.Duration(rapid.IntRange(0, 60*24).Draw(t, "hours")) * time.Hour)
				r = r.renewed(now)
			}
			return r
		})
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		one, other := a.with(b), b.with(a)
		if string(one.encode()) != string(other.encode()) || string(one.with(a).with(b).encode()) != string(one.encode()) {
			t.Fatalf("%v\n%v", one, other)
		}
		if parsed, err := parseRing(one.encode()); err != nil || string(parsed.encode()) != string(one.encode()) {
			t.Fatal(err)
		}
		for i := 1; i < len(one); i++ {
			if one[i].From.Before(one[i-1].From) {
				t.Fatal("out of order")
			}
		}
		next := one.renewed(now)
		if len(next) == 0 || len(next) > maxRing || next[next.sealing(now)].From.After(now) && next[0].From.Before(now) {
			t.Fatalf("%v", next)
		}
	})
}

// TestTicketAfterRestart: without a store that keeps anything, tickets for
// channels are as durable as the secrets in the configuration.
func TestTicketAfterRestart(t *testing.T) {
	long := strings.Repeat("k", minSecret)
	for _, c := range []struct {
		name        string
		before, now Config
		good        bool
	}{
		{"a secret", Config{Secrets: [][]byte{secret}}, Config{Secrets: [][]byte{secret}}, true},
		{"in another place", Config{Secrets: [][]byte{secret, secondary}}, Config{Secrets: [][]byte{secondary, secret}}, true},
		{"the first taken out", Config{Secrets: [][]byte{secondary, secret}}, Config{Secrets: [][]byte{secret}}, true},
		{"its own taken out", Config{Secrets: [][]byte{secret}}, Config{Secrets: [][]byte{secondary}}, false},
		{"an API key", Config{APIKeys: []APIKey{{Key: long}}}, Config{APIKeys: []APIKey{{Key: long}}}, true},
		{"another API key", Config{APIKeys: []APIKey{{Key: long}}}, Config{APIKeys: []APIKey{{Key: long + "2"}}}, false},
		{"a short API key", Config{APIKeys: []APIKey{{Key: serverKey}}}, Config{APIKeys: []APIKey{{Key: serverKey}}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, now := verifier(t, c.before), verifier(t, c.now)
			// What vouched is there on both: only the key is looked at.
			user := &Claims{Subject: "ann", Expires: time.Now().Add(time.Hour), source: c.before.anySource()}
			many, _ := issue(t, before, user, "user:ann")
			_, _, err := now.unseal(context.Background(), many)
			if (err == nil) != c.good {
				t.Error(err)
			}
			once, _ := issue(t, before, user)
			_, _, err = now.unseal(context.Background(), once)
			wantErr(t, err, ErrInvalid)
			if _, err := ticketRequest(before, once); err != nil {
				t.Error(err)
			}
		})
	}
}

// anySource is of the secret that the tests sign with, or else of an API key.
func (c Config) anySource() string {
	if len(c.Secrets) > 0 {
		return c.source("secret", secret)
	}
	return newAPIKey(c.APIKeys[0]).claims.source
}

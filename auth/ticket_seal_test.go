package auth

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
)

// TestTicketAltered: whatever is done to a ticket makes it none, and does not
// use it up.
func TestTicketAltered(t *testing.T) {
	v, user := issuer(t, Config{})
	once, _ := issue(t, v, user)
	many, _ := issue(t, v, user, "chat:1")
	for _, ticket := range []string{once, many} {
		forged := []string{"", ticket[1:], ticket[:len(ticket)-1], ticket + "A", ticket + "\n", ticket + "=", ticket + ticket, strings.Repeat("A", maxTicket), strings.ToLower(ticket)}
		for i := range len(ticket) {
			for _, c := range []byte{'A', '_', 'z', '\n', '+', '%', ticket[i] + 1, ticket[i] ^ 1} {
				if c != ticket[i] {
					forged = append(forged, ticket[:i]+string(c)+ticket[i+1:])
				}
			}
		}
		for _, f := range forged {
			_, _, err := v.unseal(context.Background(), f)
			wantErr(t, err, ErrInvalid)
		}
		if _, err := ticketRequest(v, ticket); err != nil {
			t.Error("the forgeries used it up:", err)
		}
	}
}

// Nothing that another purpose, or another version of the form, sealed with the
// key is a ticket.
func TestTicketOfAnotherPurpose(t *testing.T) {
	v, user := issuer(t, Config{})
	ticket, _ := issue(t, v, user, "chat:1")
	raw, _ := ticketCode.DecodeString(ticket)
	sealed := sealedTicket(raw)
	key, found, err := v.ticketKeys.opening(context.Background(), sealed.key())
	if err != nil || !found {
		t.Fatal(found, err)
	}
	content, ok := sealed.open(key)
	if !ok {
		t.Fatal("the ticket does not open")
	}
	for _, purpose := range [][]byte{nil, []byte("runnel"), authenticated(raw)} {
		other := append(bytes.Clone(raw[:headLen+nonceLen]), key.aead.Seal(nil, sealed.nonce(), content, purpose)...)
		_, err := ticketRequest(v, ticketCode.EncodeToString(other))
		if bytes.Equal(purpose, authenticated(raw)) != (err == nil) {
			t.Errorf("sealed for %q: %v", purpose, err)
		}
	}
}

// longNames are as many and as long as they can be.
func longNames() []string {
	names := make([]string, maxTicketChannels)
	for i := range names {
		names[i] = fmt.Sprintf("chat:%0123d", i)
	}
	return names
}

// TestTicketFitsIntoAURL: with the longest of everything a proxy of 8 KiB
// takes the URL of a feed: 32 names, the ticket, and a cursor.
func TestTicketFitsIntoAURL(t *testing.T) {
	v, _ := issuer(t, Config{})
	user, err := v.Verify(context.Background(), hmacToken(t, map[string]any{
		"sub": strings.Repeat(`"<`, maxSubject/2), "runnel": map[string]any{"subscribe": []string{"chat:*"}, "device": strings.Repeat(`\`, maxDevice)},
	}))
	if err != nil {
		t.Fatal(err)
	}
	names := longNames()
	ticket, _ := issue(t, v, user, names...)
	url := "GET /events?channel=" + strings.Join(names, "&channel=") + "&ticket=" + ticket + "&last_event_id=" + strings.Repeat("x", 1<<10) + " HTTP/1.1"
	if len(ticket) > 2100 || len(url) > 8000 {
		t.Errorf("the ticket has %d characters, the request line %d", len(ticket), len(url))
	}
	c, err := ticketRequest(v, ticket)
	if err != nil || c.Subject != user.Subject {
		t.Fatal(err)
	}
	for _, name := range names {
		if !c.MaySubscribe(name) {
			t.Errorf("%s may not be read", name)
		}
	}
	if c.MaySubscribe(names[0][:127]) || c.MaySubscribe("") {
		t.Error("other names may be read")
	}
}

func TestTicketTooLarge(t *testing.T) {
	v, _ := issuer(t, Config{})
	many := func(n int) *Claims {
		patterns := make([]string, n)
		for i := range patterns {
			patterns[i] = fmt.Sprintf("tenant:%050d:*", i)
		}
		c, err := v.Verify(context.Background(), hmacToken(t, map[string]any{"runnel": map[string]any{"subscribe": patterns}}))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if ticket, _ := issue(t, v, many(65)); len(ticket) > maxTicket {
		t.Errorf("%d characters", len(ticket))
	}
	ticket, _, err := v.IssueTicket(context.Background(), many(75), nil)
	wantErr(t, err, ErrTooLarge)
	if ticket != "" || !strings.Contains(err.Error(), "6144") {
		t.Errorf("%q, %v", ticket, err)
	}
	issue(t, v, many(75), "tenant:"+strings.Repeat("0", 50)+":x")
}

// FuzzOpenTicket: no text but an issued one opens anything.
func FuzzOpenTicket(f *testing.F) {
	v, user := issuer(f, Config{Records: newProcessRecords()}) // keys of this process: fuzzing has several
	once, _ := issue(f, v, user)
	many, _ := issue(f, v, user, "chat:1", "user:ann")
	for _, s := range []string{"", "A", once, many, many + "A", once[:len(once)/2] + many[len(once)/2:]} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, s, err := v.unseal(context.Background(), text)
		if (err == nil) != (text == once || text == many) || (s == nil) != (err != nil) {
			t.Errorf("%q opens: %v", text, err)
		}
	})
}

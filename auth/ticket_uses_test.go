package auth

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestTicketUsedTwiceAtOnce: of all who bring a ticket, on any node, one wins.
func TestTicketUsedTwiceAtOnce(t *testing.T) {
	shared := newProcessRecords()
	a, user := issuer(t, Config{Records: shared})
	b, _ := issuer(t, Config{Records: shared})
	for range 20 {
		ticket, _ := issue(t, a, user)
		var got atomic.Int64
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				if _, err := ticketRequest([]*Verifier{a, b}[i%2], ticket); err == nil {
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

// A user's tickets that are used at once do not get in each other's way.
func TestTicketsUsedAtOnce(t *testing.T) {
	v, user := issuer(t, Config{})
	var wg sync.WaitGroup
	for range 16 {
		ticket, _ := issue(t, v, user)
		wg.Go(func() {
			if _, err := ticketRequest(v, ticket); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestTicketUsesOfAUser: one who uses very many waits, nobody else does.
func TestTicketUsesOfAUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, ann := issuer(t, Config{})
		bob, err := v.Verify(context.Background(), hmacToken(t, map[string]any{"sub": "bob"}))
		if err != nil {
			t.Fatal(err)
		}
		use := func(c *Claims) error {
			ticket, _ := issue(t, v, c)
			_, err := ticketRequest(v, ticket)
			return err
		}
		for range maxUses {
			if err := use(ann); err != nil {
				t.Fatal(err)
			}
		}
		wantErr(t, use(ann), ErrTooMany)
		if err := use(bob); err != nil {
			t.Error(err)
		}
		time.Sleep(ticketLife + useMargin + time.Millisecond)
		if err := use(ann); err != nil {
			t.Error("after they ended:", err)
		}
	})
}

// TestTicketsOfManyUsers: a few users with very many tickets keep nobody from
// theirs, and theirs are good.
func TestTicketsOfManyUsers(t *testing.T) {
	v, _ := issuer(t, Config{})
	names := longNames()
	var tickets []string
	for i := range 36 {
		user, err := v.Verify(context.Background(), hmacToken(t, map[string]any{
			"sub": fmt.Sprint("user", i), "runnel": map[string]any{"subscribe": []string{"chat:*"}},
		}))
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			ticket, _ := issue(t, v, user, names...)
			tickets = append(tickets, ticket)
		}
	}
	other, err := v.Verify(context.Background(), hmacToken(t, map[string]any{"sub": "other"}))
	if err != nil {
		t.Fatal(err)
	}
	once, _ := issue(t, v, other)
	many, _ := issue(t, v, other, "user:other")
	for i, ticket := range append(tickets, once, many) {
		if i%16 != 0 && i < len(tickets) {
			continue
		}
		if _, err := ticketRequest(v, ticket); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProcessRecordsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, ctx := newProcessRecords(), context.Background()
		value := make([]byte, 1<<20)
		put := 0
		for ; ; put++ {
			if ok, err := m.SwapRecord(ctx, fmt.Sprint(put), nil, value, time.Minute); err != nil {
				break
			} else if !ok || put > 100 {
				t.Fatal(ok, put)
			}
		}
		if put != 63 {
			t.Errorf("%d MiB fit into 64 with what is around them", put)
		}
		time.Sleep(time.Minute)
		for _, step := range []struct {
			old, value string
			want       bool
		}{{"", "a", true}, {"", "b", false}, {"x", "b", false}, {"a", "b", true}} {
			var old []byte
			if step.old != "" {
				old = []byte(step.old)
			}
			if ok, err := m.SwapRecord(ctx, "key", old, []byte(step.value), time.Second); ok != step.want || err != nil {
				t.Errorf("%+v: %v, %v", step, ok, err)
			}
		}
		if b, err := m.Record(ctx, "key"); string(b) != "b" || err != nil || len(m.kept) != 1 || m.bytes != 4+recordOverhead {
			t.Errorf("%q, %v, %d kept, %d bytes", b, err, len(m.kept), m.bytes)
		}
		time.Sleep(time.Second)
		if b, err := m.Record(ctx, "key"); b != nil || err != nil {
			t.Errorf("%q, %v after its end", b, err)
		}
	})
}

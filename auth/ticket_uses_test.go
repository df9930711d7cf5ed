package auth

import (
	"context"
	"errors"
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

// TestAllTicketsUsedAtOnce: a user may use as many tickets as are remembered, on
// any nodes and all at once, also where the store is some way off; for one more
// they are told to wait. Each takes a look at the store and a change, and a few of both
// where another node came between.
func TestAllTicketsUsedAtOnce(t *testing.T) {
	for _, nodes := range []int{1, 4} {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { allTicketsAtOnce(t, nodes) })
		})
	}
}

func allTicketsAtOnce(t *testing.T, nodes int) {
	far := &farRecords{processRecords: newProcessRecords()}
	hubs := make([]*Verifier, nodes)
	var user *Claims
	for i := range hubs {
		hubs[i], user = issuer(t, Config{Records: far})
	}
	tickets := make([]string, maxUses+20)
	for i := range tickets {
		tickets[i], _ = issue(t, hubs[i%nodes], user)
	}
	far.swaps.Store(0)
	var used, refused atomic.Int64
	var wg sync.WaitGroup
	for i, ticket := range tickets {
		wg.Go(func() {
			switch _, err := ticketRequest(hubs[i%nodes], ticket); {
			case err == nil:
				used.Add(1)
			case errors.Is(err, ErrTooMany):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if used.Load() != maxUses || refused.Load() != 20 {
		t.Errorf("%d used, %d refused", used.Load(), refused.Load())
	}
	if n := far.swaps.Load(); n > int64(maxUses*nodes) {
		t.Errorf("%d changes of the store for %d tickets", n, maxUses)
	}
}

// farRecords take a millisecond for each answer.
type farRecords struct {
	*processRecords
	swaps atomic.Int64
}

func (f *farRecords) Record(ctx context.Context, key string) ([]byte, error) {
	time.Sleep(time.Millisecond)
	return f.processRecords.Record(ctx, key)
}

func (f *farRecords) SwapRecord(ctx context.Context, key string, old, value []byte, life time.Duration) (bool, error) {
	f.swaps.Add(1)
	time.Sleep(time.Millisecond)
	return f.processRecords.SwapRecord(ctx, key, old, value, life)
}

// Who gives up waiting lets the next one pass; nothing is left of any of them.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		turns := turns{keys: make(map[string]*turn)}
		first, err := turns.take(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := turns.take(ctx, "ann"); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
		wg.Go(func() {
			third, err := turns.take(t.Context(), "ann")
			if took := time.Since(began); err != nil || took != 2*time.Second {
				t.Errorf("after %v: %v", took, err)
			}
			third()
		})
		bob, err := turns.take(t.Context(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		bob()
		time.Sleep(2 * time.Second)
		first()
		wg.Wait()
		if len(turns.keys) != 0 {
			t.Errorf("%d keys are kept", len(turns.keys))
		}
	})
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

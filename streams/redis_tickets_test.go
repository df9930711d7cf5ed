package streams_test

import (
	"sync"
	"testing"
	"time"

	"runnel/streams"
	"runnel/streams/streamstest"
)

func TestRedisTickets(t *testing.T) {
	server := streamstest.StartRedis(t)
	one, other := openRedis(t, server), openRedis(t, server)
	ctx := t.Context()
	if v, err := one.GetTicket(ctx, "a"); v != nil || err != nil {
		t.Fatal(v, err)
	}
	if err := one.PutTicket(ctx, "ann", 100, "a", []byte("claims"), time.Minute); err != nil {
		t.Fatal(err)
	}
	if v, err := other.GetTicket(ctx, "a"); string(v) != "claims" || err != nil {
		t.Fatal(v, err)
	}
	var mu sync.Mutex
	taken := 0
	var takers sync.WaitGroup
	for i := range 16 {
		takers.Go(func() {
			v, err := []*streams.Redis{one, other}[i%2].TakeTicket(ctx, "a")
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if v != nil {
				taken++
			}
		})
	}
	takers.Wait()
	if taken != 1 {
		t.Errorf("taken %d times", taken)
	}
	if err := one.PutTicket(ctx, "ann", 100, "b", []byte("x"), 20*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	within(t, 5*time.Second, "the ticket's end", func() bool {
		v, err := other.GetTicket(ctx, "b")
		return v == nil && err == nil
	})
}

// Of an owner the newest are kept, on whatever node they were asked for.
func TestRedisTicketsOfAnOwner(t *testing.T) {
	server := streamstest.StartRedis(t)
	nodes := []*streams.Redis{openRedis(t, server), openRedis(t, server)}
	put := func(i int, owner, key string) {
		if err := nodes[i%2].PutTicket(t.Context(), owner, 3, key, []byte(key), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	put(0, "bob", "other")
	keys := []string{"1", "2", "3", "4", "5"}
	for i, key := range keys {
		put(i, "ann", key)
	}
	for i, key := range append(keys, "other") {
		v, err := nodes[0].GetTicket(t.Context(), key)
		if err != nil || (v != nil) != (i >= 2) {
			t.Errorf("ticket %s: %q, %v", key, v, err)
		}
	}
}

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
	if err := one.PutTicket(ctx, "a", []byte("claims"), time.Minute); err != nil {
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
	if err := one.PutTicket(ctx, "b", []byte("x"), 20*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	within(t, 5*time.Second, "the ticket's end", func() bool {
		v, err := other.GetTicket(ctx, "b")
		return v == nil && err == nil
	})
}

package streams_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"runnel/streams"
	"runnel/streams/streamstest"
)

var day = streams.Retention{Count: 1000, Age: 24 * time.Hour}

func TestMemory(t *testing.T) {
	t.Parallel()
	streamstest.Run(t, func(t *testing.T) streams.Log { return newMemory(t, 0) })
}

func newMemory(t testing.TB, budget int64) *streams.Memory {
	m := streams.NewMemory(budget)
	t.Cleanup(func() { m.Close() })
	return m
}

func appendText(t testing.TB, log streams.Log, channel string, keep streams.Retention, s, key string) streams.ID {
	t.Helper()
	results, err := log.Append(t.Context(), channel, keep, []streams.Draft{{Data: []byte(s), Text: true, Key: key}})
	if err != nil || results[0].Err != nil {
		t.Fatalf("Append: %v, %v", results, err)
	}
	return results[0].ID
}

func readAll(t testing.TB, log streams.Log, channel string) streams.Page {
	t.Helper()
	page, err := log.Range(t.Context(), channel, streams.Query{Events: 1 << 20, Bytes: 1 << 30})
	if err != nil {
		t.Fatalf("Range: %v", err)
	}
	return page
}

func headOf(t testing.TB, log streams.Log, channel string) streams.Head {
	t.Helper()
	heads, err := log.Heads(t.Context(), []string{channel})
	if err != nil {
		t.Fatalf("Heads: %v", err)
	}
	return heads[0]
}

// TestMemoryForgottenChannel: a channel's numbering that was forgotten never
// comes again, not even within the same millisecond.
func TestMemoryForgottenChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, 64<<10)
		last := appendText(t, m, "a", day, "x", "")
		for i := range 1000 { // the clock stands still meanwhile
			appendText(t, m, fmt.Sprint("b", i), day, "x", "")
		}
		if head := headOf(t, m, "a"); head.Last.N != 0 || head.Base.Ms <= last.Ms {
			t.Fatalf("%v was forgotten, then the head is %+v", last, head)
		}
	})
}

func TestMemoryAgesWhileIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, 0)
		keep := streams.Retention{Count: 100, Age: time.Hour}
		last := appendText(t, m, "a", keep, "x", "")
		time.Sleep(59 * time.Minute)
		if n := len(readAll(t, m, "a").Events); n != 1 {
			t.Fatalf("%d events before the hour is over", n)
		}
		time.Sleep(2 * time.Minute)
		if page := readAll(t, m, "a"); len(page.Events) != 0 || page.Last != last {
			t.Fatalf("%d events, last %v", len(page.Events), page.Last)
		}
	})
}

// TestMemoryForgetsInTheEnd: heads stay for 30 days, and while anyone asks or
// follows.
func TestMemoryForgetsInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, 0)
		first := map[string]streams.Head{}
		for _, name := range []string{"head", "base", "asked", "followed"} {
			first[name] = headOf(t, m, name)
		}
		for _, name := range []string{"head", "asked", "followed"} {
			appendText(t, m, name, day, "x", "")
			first[name] = headOf(t, m, name)
		}
		stop := m.Follow("followed", &silent{})
		same := func(name string) {
			t.Helper()
			if head := headOf(t, m, name); head != first[name] {
				t.Fatalf("%s: %+v was %+v", name, head, first[name])
			}
		}
		for range 29 {
			time.Sleep(24 * time.Hour)
			same("asked")
		}
		same("base")
		same("head")
		time.Sleep(31 * 24 * time.Hour)
		if head := headOf(t, m, "head"); head == first["head"] {
			t.Fatal("a head is remembered after 31 days")
		}
		same("followed")
		stop()
		time.Sleep(31 * 24 * time.Hour)
		if head := headOf(t, m, "followed"); head == first["followed"] {
			t.Fatal("a head is remembered 31 days after it was followed")
		}
	})
}

func TestMemoryKeysExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { testKeysExpire(t, newMemory(t, 0)) })
}

// testKeysExpire is to be called in a bubble.
func testKeysExpire(t *testing.T, log streams.Log) {
	first := appendText(t, log, "a", day, "x", "k")
	time.Sleep(streams.KeyLife - time.Second)
	if again := appendText(t, log, "a", day, "x", "k"); again != first {
		t.Fatalf("%v, within its life %v", first, again)
	}
	time.Sleep(2 * time.Second)
	second := appendText(t, log, "a", day, "y", "k")
	if second.N != 2 {
		t.Fatalf("%v, after its life %v", first, second)
	}
	if again := appendText(t, log, "a", day, "y", "k"); again != second {
		t.Fatalf("%v, then %v", second, again)
	}
}

// TestMemorySlowFollower: who is slow to hear holds up neither readers nor
// other channels.
func TestMemorySlowFollower(t *testing.T) {
	m := newMemory(t, 0)
	enter, leave := make(chan struct{}), make(chan struct{})
	defer m.Follow("a", &slow{enter, leave})()
	var publisher sync.WaitGroup
	publisher.Go(func() { appendText(t, m, "a", day, "x", "") })
	<-enter
	if page := readAll(t, m, "a"); len(page.Events) != 1 {
		t.Errorf("%d events", len(page.Events))
	}
	appendText(t, m, "b", day, "x", "")
	close(leave)
	publisher.Wait()
}

type slow struct{ enter, leave chan struct{} }

func (s *slow) Deliver(*streams.Event) { s.enter <- struct{}{}; <-s.leave }
func (s *slow) Resync()                {}

package streams_test

import (
	"fmt"
	"runtime"
	"strings"
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

// TestMemoryOldestGoesFirst fills two channels one after the other: what does
// not fit goes from the one that was filled first.
func TestMemoryOldestGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, 1<<20)
		body := strings.Repeat("x", 1000)
		for _, channel := range []string{"old", "new"} {
			for range 600 {
				appendText(t, m, channel, day, body, "")
				time.Sleep(time.Millisecond)
			}
		}
		older, newer := readAll(t, m, "old"), readAll(t, m, "new")
		if n := len(newer.Events); n != 600 {
			t.Fatalf("the newer channel has %d events", n)
		}
		n := len(older.Events)
		if n < 200 || n > 300 || older.Events[n-1].ID != older.Last || older.Last.N != 600 {
			t.Fatalf("the older channel has %d events up to %v, last %v", n, older.Events[n-1].ID, older.Last)
		}
	})
}

// TestMemoryOldestOfTwo fills two channels by turns: both keep what is younger
// than the same time.
func TestMemoryOldestOfTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, 1<<20)
		for i := range 1200 {
			appendText(t, m, []string{"a", "b"}[i%2], day, strings.Repeat("x", 1000), "")
			time.Sleep(time.Millisecond)
			if i < 1000 {
				continue
			}
			a, b := readAll(t, m, "a").Events[0].ID, readAll(t, m, "b").Events[0].ID
			if apart := int(a.Ms) - int(b.Ms); apart < -1 || apart > 1 || a.N < 50 {
				t.Fatalf("one channel goes back to %v, the other to %v", a, b)
			}
		}
	})
}

// TestMemoryMadeUpChannels has clients make up names, by each method.
func TestMemoryMadeUpChannels(t *testing.T) {
	const budget, names = 2 << 20, 40_000
	m := newMemory(t, budget)
	kept := appendText(t, m, "followed", day, "x", "")
	defer m.Follow("followed", &silent{})()
	before := heapInUse()
	for i := range names {
		name := fmt.Sprintf("%0100d", i)
		switch i % 4 {
		case 0:
			headOf(t, m, name)
		case 1:
			readAll(t, m, name)
		case 2:
			m.Follow(name, &silent{})()
		case 3:
			appendText(t, m, name, day, "", name)
		}
	}
	if grown := heapInUse() - before; grown > 2*budget {
		t.Fatalf("%d names took %d MiB of a budget of %d", names, grown>>20, budget>>20)
	}
	if head := headOf(t, m, "followed"); head.Last != kept {
		t.Fatalf("the followed channel's head is %v, was %v", head.Last, kept)
	}
	runtime.KeepAlive(m)
}

// TestMemoryReadersTakeNothing: whatever names are read, nobody's history goes
// for it.
func TestMemoryReadersTakeNothing(t *testing.T) {
	const budget, names = 1 << 20, 20_000
	m := newMemory(t, budget)
	body := strings.Repeat("x", 1000)
	for range 800 {
		appendText(t, m, "kept", day, body, "")
	}
	first := headOf(t, m, "0")
	for i := range names {
		name := fmt.Sprint(i)
		headOf(t, m, name)
		readAll(t, m, name)
		m.Follow(name, &silent{})()
	}
	if n := len(readAll(t, m, "kept").Events); n != 800 {
		t.Errorf("%d of 800 events are left", n)
	}
	if again := headOf(t, m, "0"); again != first {
		t.Errorf("an empty channel stands at %v, was told to stand at %v", again, first)
	}
}

// TestMemoryManyKeys: idempotency keys count too.
func TestMemoryManyKeys(t *testing.T) {
	const budget = 1 << 20
	m := newMemory(t, budget)
	few := streams.Retention{Count: 1, Age: time.Hour}
	before := heapInUse()
	for i := range 20_000 {
		appendText(t, m, "a", few, "x", fmt.Sprintf("%0200d", i))
	}
	if grown := heapInUse() - before; grown > 2*budget {
		t.Fatalf("the keys took %d MiB of a budget of %d", grown>>20, budget>>20)
	}
	last := headOf(t, m, "a").Last
	if again := appendText(t, m, "a", few, "x", fmt.Sprintf("%0200d", 19_999)); again != last {
		t.Fatalf("the newest key is forgotten: %v, then %v", last, again)
	}
	runtime.KeepAlive(m)
}

func heapInUse() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

type silent struct{}

func (*silent) Deliver(*streams.Event) {}
func (*silent) Resync()                {}

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

// TestMemoryBudgetUnderLoad has many fill a small budget at once, and checks
// that what is counted is what is there.
func TestMemoryBudgetUnderLoad(t *testing.T) {
	m := newMemory(t, 256<<10)
	var all sync.WaitGroup
	for p := range 8 {
		all.Go(func() {
			for i := range 2000 {
				name := fmt.Sprint("c", (i*7+p)%50)
				appendText(t, m, name, day, strings.Repeat("x", i%300), fmt.Sprint(p, i))
				headOf(t, m, fmt.Sprint(p, "/", i))
			}
		})
	}
	all.Wait()
	total := 0
	for i := range 50 {
		page := readAll(t, m, fmt.Sprint("c", i))
		for _, e := range page.Events {
			total += e.Size()
		}
	}
	if total == 0 || total > 256<<10 {
		t.Fatalf("%d bytes of events in a budget of %d", total, 256<<10)
	}
}

func BenchmarkMemoryAppend(b *testing.B) {
	for _, followed := range []bool{false, true} {
		b.Run(fmt.Sprintf("followed=%v", followed), func(b *testing.B) {
			m := newMemory(b, 0)
			if followed {
				defer m.Follow("a", &silent{})()
			}
			draft := []streams.Draft{{Data: make([]byte, 256)}}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Append(b.Context(), "a", day, draft); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMemoryAppendFull(b *testing.B) {
	m := newMemory(b, 8<<20)
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprint("c", i)
	}
	draft := []streams.Draft{{Data: make([]byte, 256)}}
	i := 0
	for b.Loop() {
		if _, err := m.Append(b.Context(), names[i%len(names)], day, draft); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

package streams_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"runnel/streams"
)

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
			appendText(t, m, name, day, "", "")
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

// TestMemoryEphemeralTakesNothing: ephemeral events to names that nobody reads
// leave nothing, as on the other engines: neither memory is taken by them nor
// anybody's history.
func TestMemoryEphemeralTakesNothing(t *testing.T) {
	m := newMemory(t, 1<<20)
	kept := appendText(t, m, "old", day, "x", "")
	head := headOf(t, m, "old")
	ear := listen(t, m, "followed")
	bytes, channels := m.Holds()
	passing := []streams.Draft{{Data: []byte("{}"), Ephemeral: true}}
	for i := range 10_000 {
		for _, name := range []string{fmt.Sprint("made up ", i), "followed", "old"} {
			if _, err := m.Append(t.Context(), name, day, passing); err != nil {
				t.Fatal(err)
			}
		}
	}
	if b, c := m.Holds(); b != bytes || c != channels {
		t.Errorf("%d bytes in %d channels, before %d in %d", b, c, bytes, channels)
	}
	if page := readAll(t, m, "old"); len(page.Events) != 1 || page.Events[0].ID != kept || page.Head != head {
		t.Errorf("the old event's channel: %+v", page)
	}
	if n := ear.count(); n != 10_000 {
		t.Errorf("who follows heard of %d", n)
	}
	for i := range 10_000 { // with keys, which fill their share; the others are refused
		passing[0].Key = fmt.Sprint(i)
		if _, err := m.Append(t.Context(), fmt.Sprint("made up ", i), day, passing); err != nil {
			t.Fatal(err)
		}
	}
	if b, c := m.Holds(); b != bytes+1<<19 || c != channels {
		t.Errorf("%d bytes in %d channels, before %d in %d and half of the budget for keys", b, c, bytes, channels)
	}
}

// TestMemoryKeepsKeys: an idempotency key that was taken is known for its life,
// whatever else comes and however full the budget is; one that has no room is
// refused, and has room once others are past their life.
func TestMemoryKeepsKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, 1<<20)
		publish := func(i int) (streams.ID, error) {
			d := streams.Draft{Data: []byte("{}"), Key: fmt.Sprint("key ", i)}
			results, err := m.Append(t.Context(), fmt.Sprint("room:", i%7), day, []streams.Draft{d})
			if err != nil {
				t.Fatal(err)
			}
			return results[0].ID, results[0].Err
		}
		for round := range 3 {
			taken := map[int]streams.ID{}
			for i := range 6000 {
				switch id, err := publish(i + 10_000*round); {
				case err == nil:
					taken[i] = id
				case !errors.Is(err, streams.ErrKeysFull) || !errors.Is(err, streams.ErrUnavailable) || !id.IsZero():
					t.Fatalf("%v, %v", id, err)
				}
				if i%100 == 0 {
					time.Sleep(time.Second)
				}
			}
			if n := len(taken); n < 4000 || n > 5000 {
				t.Fatalf("%d of 6000 keys were taken in a budget of 1 MiB", n)
			}
			for range 2000 {
				appendText(t, m, "other", day, strings.Repeat("x", 1000), "")
			}
			time.Sleep(10 * time.Second)
			for i, id := range taken {
				if again, err := publish(i + 10_000*round); again != id || err != nil {
					t.Fatalf("key %d was answered with %v, then with %v, %v", i, id, again, err)
				}
			}
			time.Sleep(streams.KeyLife + time.Minute)
		}
	})
}

// TestMemoryKeysBounded: what keys take stays within their share.
func TestMemoryKeysBounded(t *testing.T) {
	const budget = 4 << 20
	m := newMemory(t, budget)
	few := streams.Retention{Count: 1, Age: time.Hour}
	before := heapInUse()
	for i := range 60_000 {
		d := streams.Draft{Data: []byte("{}"), Key: fmt.Sprintf("%0200d", i)}
		if _, err := m.Append(t.Context(), "a", few, []streams.Draft{d}); err != nil {
			t.Fatal(err)
		}
	}
	if grown := heapInUse() - before; grown > budget/2 {
		t.Fatalf("the keys took %d KiB of a budget of %d", grown>>10, budget>>10)
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

// TestMemoryBudgetUnderLoad has many fill a small budget at once, and checks
// that what is counted is what is there.
func TestMemoryBudgetUnderLoad(t *testing.T) {
	m := newMemory(t, 256<<10)
	var all sync.WaitGroup
	for p := range 8 {
		all.Go(func() {
			for i := range 2000 {
				name := fmt.Sprint("c", (i*7+p)%50)
				key := ""
				if i%40 == 0 {
					key = fmt.Sprint(p, i)
				}
				appendText(t, m, name, day, strings.Repeat("x", i%300), key)
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

package streams_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"runnel/streams"
	"runnel/streams/streamstest"
)

func TestRedisHeadLost(t *testing.T) {
	for _, c := range []struct {
		name string
		lose []any
	}{
		{"head", []any{"DEL", "runnel:{a}:head"}},
		{"garbled", []any{"SET", "runnel:{a}:head", "what"}},
	} {
		for _, emptied := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, ", stream emptied: ", emptied), func(t *testing.T) {
				server := streamstest.StartRedis(t)
				log, plain := openRedis(t, server), plainClient(t, server)
				ids := add(t, log, "a", text("1"), text("2"), text("3"))
				if emptied {
					plain.XTrimMaxLen(t.Context(), "runnel:{a}:log", 0)
				}
				if err := plain.Do(t.Context(), c.lose...).Err(); err != nil {
					t.Fatal(err)
				}
				page := read(t, log, "a", everything)
				if page.Last != ids[2] || !page.Base.IsZero() || (len(page.Events) == 0) != emptied {
					t.Fatalf("%+v", page)
				}
				plain.Del(t.Context(), "runnel:{a}:head")
				heads, err := log.Heads(t.Context(), []string{"a"})
				if err != nil || heads[0] != page.Head {
					t.Fatal(heads, err)
				}
				plain.Del(t.Context(), "runnel:{a}:head")
				add(t, log, "a", text("4"))
				page = read(t, log, "a", streams.Query{Backward: true, Events: 1})
				if e := page.Events[0]; e.Prev != ids[2] || e.ID.N != 4 || page.Last != e.ID || !page.Base.IsZero() {
					t.Fatalf("%v after %v, %+v", e.ID, e.Prev, page.Head)
				}
			})
		}
	}
}

// A Redis that lost everything begins a new numbering, above the old one.
func TestRedisAllLost(t *testing.T) {
	server := streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	old := add(t, log, "a", text("1"), text("2"))
	within(t, "another millisecond", func() bool { return time.Now().UnixMilli() > int64(old[1].Ms) })
	if err := plain.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	page := read(t, log, "a", everything)
	if page.Last != page.Base || page.Base.N != 0 || !old[1].Less(page.Base) || len(page.Events) != 0 {
		t.Fatalf("%+v", page)
	}
	id := add(t, log, "a", text("3"))[0]
	page = read(t, log, "a", everything)
	if id.N != 1 || len(page.Events) != 1 || page.Events[0].Prev != page.Base {
		t.Fatalf("%v, %+v", id, page)
	}
}

// Entries that others put into the stream are passed by, whatever they hold.
func TestRedisForeignEntries(t *testing.T) {
	server := streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	foreign := func(id string, values ...any) {
		t.Helper()
		if err := plain.XAdd(t.Context(), &redis.XAddArgs{Stream: "runnel:{a}:log", ID: id, Values: values}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	foreign("1-1", "data", "before all")
	first := add(t, log, "a", text("1"))[0]
	for range 40 {
		foreign("*", "data", "x")
	}
	for i, prev := range []string{"last Tuesday", "1-02", "1-3", "9007199254740993-2", ""} {
		foreign(fmt.Sprint(first.Ms+uint64(1000+i), "-3"), "prev", prev, "data", "x")
	}
	high := streams.ID{Ms: first.Ms + 3600_000, N: 5}
	foreign(high.String(), "data", "an hour ahead")
	second := add(t, log, "a", text("2"))[0]
	third := add(t, log, "a", text("3"))[0]
	foreign(fmt.Sprint(third.Ms+1, "-1"), "data", "after all")
	if !high.Less(second) || second.N != first.N+1 || third.N != second.N+1 || third.Ms != second.Ms {
		t.Fatalf("%v %v %v", first, second, third)
	}
	ids := []streams.ID{first, second, third}
	for i, id := range ids {
		page := read(t, log, "a", streams.Query{From: id, Events: 1, Bytes: 1})
		below := append([]streams.ID{{}}, ids...)[i]
		if i == 2 {
			below = streams.ID{} // it follows directly
		}
		if len(page.Events) != 1 || page.Events[0].ID != id || page.More != (i < 2) || page.Below != below || page.Last != third {
			t.Errorf("from %v: %+v", id, page)
		}
		back := read(t, log, "a", streams.Query{From: streams.ID{Ms: id.Ms, N: id.N + 1}, Backward: true, Events: 1})
		if len(back.Events) != 1 || back.Events[0].ID != id || back.More != (i > 0) {
			t.Errorf("back from %v: %+v", id, back)
		}
	}
	if page := read(t, log, "a", everything); len(page.Events) != 3 || page.Events[1].Prev != first || page.Events[2].Prev != second {
		t.Errorf("%+v", page)
	}
}

// Above the highest of all IDs there is none; that is an error and no event.
func TestRedisIDBeyondBounds(t *testing.T) {
	server := streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	add(t, log, "a", text("1"))
	for _, id := range []string{"253402300799999-1", "18446744073709551615-18446744073709551615"} {
		plain.XAdd(t.Context(), &redis.XAddArgs{Stream: "runnel:{a}:log", ID: id, Values: []any{"data", "x"}})
		if _, err := log.Append(t.Context(), "a", aDay, []streams.Draft{text("2")}); !errors.Is(err, streams.ErrUnavailable) {
			t.Errorf("above %s: %v", id, err)
		}
	}
	if page := read(t, log, "a", everything); len(page.Events) != 1 {
		t.Errorf("%+v", page)
	}
}

// What a quiet channel held goes by age, what is known of it stays.
func TestRedisExpired(t *testing.T) {
	server := streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	results, err := log.Append(t.Context(), "a", streams.Retention{Count: 10, Age: 30 * time.Millisecond}, []streams.Draft{text("1")})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "the end of the stream", func() bool {
		return plain.Exists(t.Context(), "runnel:{a}:log").Val() == 0
	})
	page := read(t, log, "a", everything)
	if page.Last != results[0].ID || page.Base.IsZero() || len(page.Events) != 0 || !page.Below.IsZero() {
		t.Fatalf("%+v", page)
	}
	if id := add(t, log, "a", text("2"))[0]; id.N != 2 {
		t.Fatal(id)
	}
}

func TestRedisRetention(t *testing.T) {
	server := streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	for range 500 {
		if _, err := log.Append(t.Context(), "a", streams.Retention{Count: 50, Age: time.Hour}, []streams.Draft{text("x")}); err != nil {
			t.Fatal(err)
		}
	}
	// Redis trims whole nodes of up to 100 entries.
	if n := plain.XLen(t.Context(), "runnel:{a}:log").Val(); n < 50 || n > 250 {
		t.Errorf("%d of 500 events are kept by count 50", n)
	}
	within(t, "some age", func() bool {
		page := read(t, log, "a", streams.Query{Backward: true, Events: 1})
		return time.Since(page.Last.Time()) > 50*time.Millisecond
	})
	for range 150 {
		if _, err := log.Append(t.Context(), "a", streams.Retention{Count: 1000, Age: 50 * time.Millisecond}, []streams.Draft{text("x")}); err != nil {
			t.Fatal(err)
		}
	}
	if n := plain.XLen(t.Context(), "runnel:{a}:log").Val(); n > 250 {
		t.Errorf("%d events are kept by age", n)
	}
}

package streamstest

import (
	"errors"
	"sync"

	"runnel/streams"
)

var keyTests = map[string]func(fixture){
	"keys/repeat":     testRepeat,
	"keys/conflict":   testConflict,
	"keys/one call":   testKeysInOneCall,
	"keys/ephemeral":  testEphemeralKey,
	"keys/concurrent": testConcurrentKey,
	"keys/forms":      testKeyForms,
}

// keyed is a draft of that text with that key.
func keyed(key, s string) streams.Draft {
	d := text(s)
	d.Key = key
	return d
}

// holds fails unless the channel's history is these texts.
func (f fixture) holds(channel string, texts ...string) {
	f.Helper()
	events := f.history(channel)
	if len(events) != len(texts) {
		f.Fatalf("%d events, want %q", len(events), texts)
	}
	f.chained(events)
	for i, e := range events {
		if string(e.Data) != texts[i] {
			f.Fatalf("event %v is %q, want %q", e.ID, e.Data, texts[i])
		}
	}
}

func testRepeat(f fixture) {
	first := f.append("a", plenty, keyed("k", "1"))[0]
	f.append("a", plenty, text("2"))
	for range 3 {
		if r := f.append("a", plenty, keyed("k", "1"))[0]; r != first {
			f.Fatalf("first %+v, then %+v", first, r)
		}
	}
	moved := keyed("k", "1")
	moved.Exclude = "the connection it is repeated on"
	if r := f.append("a", plenty, moved)[0]; r != first {
		f.Fatalf("first %+v, from another connection %+v", first, r)
	}
	f.holds("a", "1", "2")
}

func testConflict(f fixture) {
	first := f.append("a", plenty, keyed("k", "1"))[0]
	otherType, otherKind := keyed("k", "1"), keyed("k", "1")
	otherType.Type = "other"
	otherKind.Text = false
	for _, d := range []streams.Draft{keyed("k", "2"), otherType, otherKind} {
		if r := f.tryAppend("a", plenty, d)[0]; !errors.Is(r.Err, streams.ErrKeyReused) || !r.ID.IsZero() {
			f.Fatalf("%+v", r)
		}
	}
	if r := f.append("a", plenty, keyed("k", "1"))[0]; r != first {
		f.Fatalf("first %+v, after a conflict %+v", first, r)
	}
	f.holds("a", "1")
}

func testKeysInOneCall(f fixture) {
	r := f.tryAppend("a", plenty, keyed("k", "1"), text("2"), keyed("k", "1"), keyed("k", "x"), keyed("l", "3"), text("4"))
	if r[0].Err != nil || r[2] != r[0] || !errors.Is(r[3].Err, streams.ErrKeyReused) || r[4].Err != nil || r[5].ID.N != 4 {
		f.Fatalf("%+v", r)
	}
	f.holds("a", "1", "2", "3", "4")
	again := f.append("a", plenty, text("5"), keyed("l", "3"), keyed("k", "1"))
	if again[1] != r[4] || again[2] != r[0] {
		f.Fatalf("%+v, then %+v", r, again)
	}
	f.holds("a", "1", "2", "3", "4", "5")
}

func testEphemeralKey(f fixture) {
	ear := f.follow("a")
	passing := keyed("k", "passing")
	passing.Ephemeral = true
	for range 3 {
		if r := f.append("a", plenty, passing)[0]; !r.ID.IsZero() {
			f.Fatalf("%+v", r)
		}
	}
	other := passing
	other.Data = []byte("other")
	if r := f.tryAppend("a", plenty, other)[0]; !errors.Is(r.Err, streams.ErrKeyReused) {
		f.Fatalf("%+v", r)
	}
	f.append("a", plenty, text("1"))
	f.eventually("the stored event", func() bool { return len(ear.stored()) == 1 })
	if heard := ear.all(); len(heard) != 2 || string(heard[0].Data) != "passing" {
		f.Fatalf("heard %d events", len(heard))
	}
}

func testConcurrentKey(f fixture) {
	ids := make([]streams.ID, 16)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			r, err := f.log.Append(f.ctx, "a", plenty, []streams.Draft{keyed("k", "1")})
			if err != nil || r[0].Err != nil {
				f.Errorf("%+v, %v", r, err)
				return
			}
			ids[i] = r[0].ID
		})
	}
	all.Wait()
	for _, id := range ids {
		if id != ids[0] || id.N != 1 {
			f.Fatalf("one key, these IDs: %v", ids)
		}
	}
	f.holds("a", "1")
}

// testKeyForms: keys are text of the client's choice, and a channel's own.
func testKeyForms(f fixture) {
	forms := []string{"k", "K", "k ", "k:l", "user:ana k", "ключ", "{k}", "*", "0", "\\x00"}
	for _, key := range forms {
		for _, channel := range []string{"a", "b"} {
			first := f.append(channel, plenty, keyed(key, key))[0]
			if r := f.append(channel, plenty, keyed(key, key))[0]; r != first {
				f.Fatalf("key %q: %+v, then %+v", key, first, r)
			}
		}
	}
	f.holds("a", forms...)
	f.holds("b", forms...)
}

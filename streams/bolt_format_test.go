package streams

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func FuzzBoltEvent(f *testing.F) {
	f.Add(uint64(1732137600000), uint64(42), encodeBoltEvent(&Event{ID: ID{7, 2}, Prev: ID{5, 1}, Type: "t", From: "ana", Data: []byte("{}")}))
	f.Add(uint64(0), uint64(1), []byte{0, 0, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, ms, n uint64, b []byte) {
		e, err := decodeBoltEvent(ID{ms, n}, b)
		if err != nil {
			return
		}
		again, err := decodeBoltEvent(e.ID, encodeBoltEvent(e))
		if err != nil || !alike(e, again) {
			t.Fatalf("%+v, %v was read from what was written of %+v", again, err, e)
		}
	})
}

func alike(a, b *Event) bool {
	return a.ID == b.ID && a.Prev == b.Prev && a.Type == b.Type && a.Text == b.Text &&
		a.From == b.From && a.Exclude == b.Exclude && bytes.Equal(a.Data, b.Data)
}

func TestBoltEntries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Uint64Range(0, 1<<60)
		e := &Event{
			Type: rapid.String().Draw(t, "type"), Data: []byte(rapid.String().Draw(t, "data")), Text: rapid.Bool().Draw(t, "text"),
			From: rapid.String().Draw(t, "from"), Exclude: rapid.String().Draw(t, "exclude"),
		}
		e.Prev = ID{number.Draw(t, "ms"), number.Draw(t, "n")}
		e.ID = ID{e.Prev.Ms + number.Draw(t, "since"), e.Prev.N + 1}
		if got, err := decodeBoltEvent(e.ID, encodeBoltEvent(e)); err != nil || !alike(got, e) {
			t.Fatalf("%+v, %v, want %+v", got, err, e)
		}
		c := &boltChannel{last: e.ID, base: ID{Ms: e.Prev.Ms}, first: e.Prev, opening: number.Draw(t, "opening"), used: e.ID.Ms}
		if got, err := decodeBoltChannel(c.encode()); err != nil || *got != *c {
			t.Fatalf("%+v, %v, want %+v", got, err, c)
		}
		k := boltKey{draft: (&Draft{Data: e.Data}).fingerprint(), id: e.ID, at: e.Prev.Ms}
		if got, err := decodeBoltKey(k.encode()); err != nil || got != k {
			t.Fatalf("%+v, %v, want %+v", got, err, k)
		}
	})
}

// TestBoltEventKeys: keys sort as IDs do, and no channel's are taken for
// another's.
func TestBoltEventKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringN(1, 20, 255)
		id := rapid.Custom(func(t *rapid.T) ID { return ID{rapid.Uint64().Draw(t, "ms"), rapid.Uint64().Draw(t, "n")} })
		one, other, a, b := name.Draw(t, "one"), name.Draw(t, "other"), id.Draw(t, "a"), id.Draw(t, "b")
		prefix := eventPrefix(one)
		if got := bytes.Compare(eventKey(prefix, a), eventKey(prefix, b)); got != a.Compare(b) {
			t.Fatalf("%v and %v compare %d", a, b, got)
		}
		if eventID(eventKey(prefix, a)) != a {
			t.Fatalf("%v", a)
		}
		if ours(eventKey(eventPrefix(other), a), prefix) != (one == other) {
			t.Fatalf("the keys of %q and %q are taken for one another", one, other)
		}
	})
}

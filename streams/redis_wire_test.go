package streams

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// written is the message of an event, put together independently of the
// append script; that the script writes the same the suite shows.
func written(e *Event) string {
	kind := "json"
	if e.Text {
		kind = "text"
	}
	return fmt.Sprintf("1 %s %s %s %d %d %d %d\n%s%s%s%s", e.ID, e.Prev, kind,
		len(e.Type), len(e.From), len(e.Exclude), len(e.Data), e.Type, e.From, e.Exclude, e.Data)
}

func TestParseMessage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &Event{
			Type: rapid.String().Draw(t, "type"), From: rapid.String().Draw(t, "from"),
			Exclude: rapid.String().Draw(t, "exclude"), Text: rapid.Bool().Draw(t, "text"),
			Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data"),
		}
		if rapid.Bool().Draw(t, "stored") {
			ms := rapid.Uint64Range(0, maxMs).Draw(t, "ms")
			e.ID.N = rapid.Uint64Range(1, maxN-1).Draw(t, "n")
			e.ID.Ms, e.Prev = ms, ID{Ms: ms, N: e.ID.N - 1}
		}
		got, err := parseMessage(written(e))
		if err != nil || written(got) != written(e) {
			t.Fatalf("%q became %+v, %v", written(e), got, err)
		}
	})
}

func TestParseMessageRefuses(t *testing.T) {
	good := "1 5-2 5-1 json 1 2 3 4\n1223334444"
	if _, err := parseMessage(good); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"", "\n", good[1:], "2" + good[1:], good + "x", good[:len(good)-1],
		strings.Replace(good, "json", "xml", 1),
		strings.Replace(good, "5-2", "5-0", 1),
		strings.Replace(good, "5-2", "5-3", 1),
		strings.Replace(good, "5-2", "4-2", 1),
		strings.Replace(good, "5-2", "5-1", 1),
		strings.Replace(good, "5-2", "0-0", 1),
		strings.Replace(good, " 3 ", " -3 ", 1),
		strings.Replace(good, " 3 ", " 4294967299 ", 1),
		strings.Replace(good, " 4\n", "\n", 1),
		strings.Replace(good, "\n", " 0\n", 1),
		strings.Replace(good, " ", "  ", 1),
	} {
		if e, err := parseMessage(bad); err == nil {
			t.Errorf("%q became %+v", bad, e)
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add("1 5-2 5-1 json 1 2 3 4\n1223334444")
	f.Add("1 0-0 0-0 text 0 0 0 2\n\n\n")
	f.Add("1 5-2 5-1 json 00 0 0 9\n")
	f.Fuzz(func(t *testing.T, message string) {
		e, err := parseMessage(message)
		if err != nil {
			return
		}
		// What was understood can be written, and is then understood alike.
		again, err := parseMessage(written(e))
		if err != nil || written(again) != written(e) {
			t.Fatalf("%q became %+v, then %+v, %v", message, e, again, err)
		}
		_, rest, _ := strings.Cut(message, "\n")
		if e.Type+e.From+e.Exclude+string(e.Data) != rest {
			t.Fatalf("%q lost bytes: %+v", message, e)
		}
		if !e.Ephemeral() && !e.Prev.Less(e.ID) {
			t.Fatalf("%v after %v", e.ID, e.Prev)
		}
	})
}

// BenchmarkParseMessage is what a node pays for each event that it follows.
func BenchmarkParseMessage(b *testing.B) {
	message := written(&Event{
		ID: ID{Ms: 1732137600000, N: 42}, Prev: ID{Ms: 1732137600000, N: 41},
		Type: "paid", From: "ana", Data: make([]byte, 256),
	})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseMessage(message); err != nil {
			b.Fatal(err)
		}
	}
}

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// same are data that have to arrive alike everywhere. In text CR and CR LF
// become LF; in JSON they can be white space only, and do too.
var same = []struct{ kind, sent, want string }{
	{asText, "plain", "plain"},
	{asText, "a\nb", "a\nb"},
	{asText, "a\r\nb", "a\nb"},
	{asText, "a\rb", "a\nb"},
	{asText, "a\r\r\n\n\rb", "a\n\n\n\nb"},
	{asText, "\n", "\n"},
	{asText, "\n\n", "\n\n"},
	{asText, "a\n", "a\n"},
	{asText, "\na", "\na"},
	{asText, "a\n\nb", "a\n\nb"},
	{asText, "a\n\nid: 1-1\nevent: forged\n\n", "a\n\nid: 1-1\nevent: forged\n\n"},
	{asText, ":comment", ":comment"},
	{asText, " space", " space"},
	{asText, "  two\n three", "  two\n three"},
	{asText, "data: x", "data: x"},
	{asText, "\ttab\t", "\ttab\t"},
	{asText, "line\u2028para\u2029next\u0085", "line\u2028para\u2029next\u0085"},
	{asText, "\ufeffBOM", "\ufeffBOM"},
	{asText, "nul\x00bell\x07esc\x1b", "nul\x00bell\x07esc\x1b"},
	{asText, "<script>&amp;\"'\\", "<script>&amp;\"'\\"},
	{asText, "😀 é e\u0301 \U0010FFFF \uFFFD", "😀 é e\u0301 \U0010FFFF \uFFFD"},
	{asText, `{"looks":"like JSON"}`, `{"looks":"like JSON"}`},
	{asJSON, `{"n":12345678901234567890.000000000000000000001,"e":1e400}`, `{"n":12345678901234567890.000000000000000000001,"e":1e400}`},
	{asJSON, `9007199254740993`, `9007199254740993`},
	{asJSON, `{"b":1,"a":2}`, `{"b":1,"a":2}`},
	{asJSON, `"\u2028\ud83d\ude00\/"`, `"\u2028\ud83d\ude00\/"`},
	{asJSON, "\"<&>\u2028\"", "\"<&>\u2028\""},
	{asJSON, "{\n  \"a\": [ 1,\n\n 2 ]\n}", "{\n  \"a\": [ 1,\n\n 2 ]\n}"},
	{asJSON, "{\r\n\"a\":1\r}", "{\n\"a\":1\n}"},
	{asJSON, `null`, `null`},
	{asJSON, `""`, `""`},
}

// TestSameEverywhere publishes each of same in every way and reads it in every
// way.
func TestSameEverywhere(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	one, several := n.subscribe(events("c")), n.subscribe("/events?channel=c&channel=other")
	s, position := n.subscribeSocket("c", "")
	writer := openSocket(t, n.Addr, "/ws")
	writer.want("welcome")
	for i, c := range same {
		n.published(n.post("c", "", c.sent, c.kind))
		a := call(t, "POST", n.URL+"/events", "["+publication(t, c.kind, c.sent, "")+"]", asJSON)
		if got := outcomes(t, a); !slices.Equal(got, []string{"id"}) {
			t.Fatalf("%q in a batch: %s", c.sent, a.body)
		}
		// More messages at once would be too many.
		within(t, "the hub takes the message", func() bool {
			writer.send(publication(t, c.kind, c.sent, "publish"))
			m := writer.read()
			return m.Type == "published" || m.Code != "rate_limited" && fatal(t, m.raw)
		})
		for _, way := range []string{"alone", "in a batch", "over a WebSocket"} {
			if b := one.read(); b.data != c.want {
				t.Errorf("case %d %s: the feed has %q, want %q", i, way, b.data, c.want)
			}
			e := n.history("c", "?wait=5s&limit=1&last_event_id="+position).Events[0]
			position = e.ID
			check := func(where string, e envelope) {
				t.Helper()
				if text := c.kind == asText; e.payload() != c.want || (e.Text != nil) != text || (e.Data != nil) == text && c.want != "null" {
					t.Errorf("case %d %s: the %s has %+v, %q, want %q", i, way, where, e, e.payload(), c.want)
				}
			}
			check("long-poll", e)
			check("feed of several", several.envelope())
			check("WebSocket", s.want("event").envelope)
		}
	}
}

func fatal(t *testing.T, raw string) bool {
	t.Helper()
	t.Fatalf("the WebSocket brings %s", raw)
	return false
}

// publication writes a batch item, or with a type a message, whose data stand
// as they are: encoding/json would write them anew.
func publication(t *testing.T, kind, data, messageType string) string {
	t.Helper()
	head := `{"channel":"c",`
	if messageType != "" {
		head += fmt.Sprintf(`"type":%q,`, messageType)
	}
	if kind == asJSON {
		return head + `"data":` + data + "}"
	}
	text, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return head + `"text":` + string(text) + "}"
}

// TestSpacesAroundJSON: white space around a value is not part of it.
func TestSpacesAroundJSON(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	f, several := n.subscribe(events("c")), n.subscribe("/events?channel=c&channel=d")
	n.published(n.post("c", "", " \n[1]\r\n", asJSON))
	for name, got := range map[string]string{"feed": f.read().data, "envelope": several.envelope().payload(), "page": n.history("c", "").Events[0].payload()} {
		if strings.TrimSpace(got) != "[1]" {
			t.Errorf("the %s has %q", name, got)
		}
	}
}

package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"runnel/auth"
)

const asNDJSON = "application/x-ndjson"

// result is an item's result, strictly.
type result struct {
	ID    *json.RawMessage
	Error *struct{ Code, Message string }
}

func (n *node) batch(kind, body, token string) []result {
	n.t.Helper()
	r := n.send(request{method: "POST", path: "/events", kind: kind, body: body, token: token})
	if r.StatusCode != http.StatusOK {
		n.t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	var results []result
	decodeAll(n.t, r.body, &results)
	for _, item := range results {
		if (item.Error == nil) == (item.ID == nil) && !strings.Contains(r.body, `"id":null`) {
			n.t.Fatalf("neither or both: %s", r.body)
		}
	}
	return results
}

// outcomes writes results as codes, "id" and "null".
func outcomesOf(results []result) string {
	var s []string
	for _, r := range results {
		switch {
		case r.Error != nil:
			s = append(s, r.Error.Code)
		case r.ID == nil:
			s = append(s, "null")
		default:
			s = append(s, "id")
		}
	}
	return strings.Join(s, " ")
}

func TestBatchAnswersEachItem(t *testing.T) {
	n := startNode(t, func(c *Config, _ *auth.Config) {
		c.Limits = DefaultLimits()
		c.Limits.MessageBurst = 100
	})
	alice := n.token(auth.Claims{Subject: "alice", Publish: patterns(t, "a", "b")})
	items := []string{
		`{"channel":"a","data":{"n":123456789012345678901234567890}}`, "id",
		`{"channel":"b","text":"x\r\ny","event":"moved"}`, "id",
		`{"channel":"a","data":null}`, "id",
		`{"channel":"a","data":1,"ephemeral":true}`, "null",
		`{"channel":"c","data":1}`, codeForbidden,
		`{"channel":"$x","data":1}`, codeForbidden,
		`{"channel":"","data":1}`, codeBadRequest,
		`{"data":1}`, codeBadRequest,
		`{"channel":"a"}`, codeBadRequest,
		`{"channel":"a","text":""}`, codeBadRequest,
		`{"channel":"a","text":"x","data":1}`, codeBadRequest,
		`{"channel":"a","data":1,"colour":"red"}`, codeBadRequest,
		`{"channel":"a","channel":"b","data":1}`, codeBadRequest,
		`{"Channel":"a","data":1}`, codeBadRequest,
		`{"channel":5,"data":1}`, codeBadRequest,
		`{"channel":"a","data":1,"event":"runnel.gap"}`, codeBadRequest,
		`{"channel":"a","data":1,"exclude":"` + newConnectionID("bob") + `"}`, codeForbidden,
		`{"channel":"a","data":1,"idempotency_key":""}`, codeBadRequest,
		`{"channel":"a","data":"k","idempotency_key":"k"}`, "id",
		`{"channel":"a","data":"other","idempotency_key":"k"}`, codeConflict,
		"{\"channel\":\"a\",\"data\":\"\xff\"}", codeBadRequest,
		`{"channel":"a","text":"` + strings.Repeat("a", 64<<10+1) + `"}`, codeTooLarge,
		`5`, codeBadRequest,
		`null`, codeBadRequest,
		`[]`, codeBadRequest,
	}
	var bodies, want []string
	for i := 0; i < len(items); i += 2 {
		bodies, want = append(bodies, items[i]), append(want, items[i+1])
	}
	got := n.batch(asJSON, "["+strings.Join(bodies, ",")+"]", alice)
	if outcomesOf(got) != strings.Join(want, " ") {
		t.Errorf("array:\n%s, want\n%s", outcomesOf(got), strings.Join(want, " "))
	}
	a, b := n.stored("a"), n.stored("b")
	if len(a) != 3 || string(a[0].Data) != `{"n":123456789012345678901234567890}` || string(a[1].Data) != "null" || a[0].From != "alice" {
		t.Errorf("stored %+v", a)
	}
	if len(b) != 1 || string(b[0].Data) != "x\ny" || !b[0].Text || b[0].Type != "moved" {
		t.Errorf("stored %+v", b)
	}

	lines := append(bodies[:len(bodies):len(bodies)], `{"channel":"b","data":`, `{"channel":"b","data":1} {}`)
	got = n.batch(asNDJSON, strings.Join(lines, "\r\n\r\n")+"\n", alice)
	if outcomesOf(got) != strings.Join(want, " ")+" bad_request bad_request" {
		t.Errorf("lines:\n%s", outcomesOf(got))
	}
}

func TestBatchKeepsTheOrderOfAChannel(t *testing.T) {
	n := startNode(t)
	var items []string
	for i := range 1000 {
		items = append(items, fmt.Sprintf(`{"channel":"c%d","data":%d}`, i%20, i))
	}
	for _, r := range n.batch(asJSON, "["+strings.Join(items, ",")+"]", testAPIKey) {
		if r.Error != nil {
			t.Fatal(r.Error)
		}
	}
	for c := range 20 {
		events := n.stored(fmt.Sprintf("c%d", c))
		if len(events) != 50 {
			t.Fatalf("channel %d has %d events", c, len(events))
		}
		for i, e := range events {
			if string(e.Data) != fmt.Sprint(i*20+c) {
				t.Fatalf("channel %d at %d: %s", c, i, e.Data)
			}
		}
	}
}

func TestBatchRefusesTheWhole(t *testing.T) {
	n := startNode(t)
	good := `{"channel":"c","data":1}`
	many := strings.Repeat(good+",", 1000) + good
	for _, c := range []struct {
		name, kind, body string
		status           int
		code             string
	}{
		{"no array", asJSON, good, 400, codeBadRequest},
		{"empty", asJSON, "", 400, codeBadRequest},
		{"cut", asJSON, "[" + good + ",", 400, codeBadRequest},
		{"broken in the middle", asJSON, "[" + good + ",{]," + good + "]", 400, codeBadRequest},
		{"something after it", asJSON, "[" + good + "] x", 400, codeBadRequest},
		{"no comma", asJSON, "[" + good + good + "]", 400, codeBadRequest},
		{"bomb", asJSON, strings.Repeat("[", 1<<20), 400, codeBadRequest},
		{"too many", asJSON, "[" + many + "]", 413, codeTooLarge},
		{"too many lines", asNDJSON, strings.ReplaceAll(many, ",{", "\n{"), 413, codeTooLarge},
		{"too large", asJSON, "[" + good + strings.Repeat(" ", 1<<20) + "]", 413, codeTooLarge},
		{"other type", asText, "[" + good + "]", 415, codeUnsupportedMedia},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := *n
			n.t = t
			n.wantCode(n.send(request{method: "POST", path: "/events", kind: c.kind, body: c.body, token: testAPIKey}), c.status, c.code)
		})
	}
	if events := n.stored("c"); len(events) != 0 {
		t.Errorf("published %d events all the same", len(events))
	}
	if got := n.batch(asJSON, " [ ] ", testAPIKey); len(got) != 0 {
		t.Errorf("an empty batch: %v", got)
	}
	n.wantCode(n.send(request{method: "POST", path: "/events", kind: asJSON, body: "[]"}), 401, codeUnauthorized)
}

func TestBatchSaysWhenTheLogIsAway(t *testing.T) {
	n := startNode(t)
	n.store.Close()
	got := n.batch(asJSON, `[{"channel":"a","data":1},{"channel":"a"},{"channel":"b","data":1}]`, testAPIKey)
	if outcomesOf(got) != "unavailable bad_request unavailable" {
		t.Error(outcomesOf(got))
	}
}

// FuzzBatch checks that bodies are cut into items as encoding/json reads them,
// that the limit holds, and that reading items does not fail but with an
// error for the client.
func FuzzBatch(f *testing.F) {
	f.Add(`[{"channel":"a","data":1},{"channel":"a","text":"x"}]`, true)
	f.Add("{\"channel\":\"a\",\"data\":1}\r\n\n{\"event\":5}", false)
	f.Add(`[[[]]`, true)
	f.Add(`[{"channel":"a","data":1,"data":2}, nul]`, true)
	f.Fuzz(func(t *testing.T, body string, array bool) {
		const limit = 5
		split := splitLines
		if array {
			split = splitArray
		}
		items, err := split([]byte(body), limit)
		if err != nil {
			if e := describe(err); e.status != 400 && e.status != 413 {
				t.Fatalf("%v", e)
			}
			items = nil
		}
		if array {
			compareWithDecoder(t, body, items, err, limit)
		}
		if len(items) > limit {
			t.Fatalf("%d items", len(items))
		}
		for _, item := range items {
			if item.err == nil {
				checkItem(t, item.raw)
			} else if json.Unmarshal(item.raw, new(map[string]any)) == nil && utf8.Valid(item.raw) {
				t.Fatalf("%q: %v", item.raw, item.err)
			}
		}
	})
}

// compareWithDecoder compares with what encoding/json makes of the array.
func compareWithDecoder(t *testing.T, body string, items []batchItem, err error, limit int) {
	var want []json.RawMessage
	bad := json.Unmarshal([]byte(body), &want) != nil || want == nil
	if err == nil && (bad || len(want) != len(items)) {
		t.Fatalf("%q gave %d items, want %d (bad: %v)", body, len(items), len(want), bad)
	}
	if err != nil && !bad && len(want) <= limit {
		t.Fatalf("%q: %v", body, err)
	}
}

// checkItem checks that what an item says is what encoding/json reads.
func checkItem(t *testing.T, raw []byte) {
	p, err := readItem(raw)
	if err != nil {
		if e := describe(err); e.status != 400 {
			t.Fatalf("%q: %v", raw, e)
		}
		return
	}
	var want struct {
		Channel string
		Event   string
		Data    json.RawMessage
		Text    *string
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatalf("%q is an item, but: %v", raw, err)
	}
	data := string(want.Data)
	if want.Text != nil {
		data = *want.Text
	}
	if p.channel != want.Channel || p.event != want.Event || string(p.data) != data || p.text != (want.Text != nil) {
		t.Fatalf("%q was read as %+v", raw, p)
	}
}

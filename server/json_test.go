package server

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestNesting(t *testing.T) {
	for text, want := range map[string]int{`1`: 0, `[]`: 1, `{"a":[1,{"b":2}]}`: 3, `"[[["`: 0, `["\"[","\\",[]]`: 2, `{"[":"]"}`: 1} {
		if got := nesting([]byte(text)); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
	if err := checkJSON([]byte(strings.Repeat("[", maxNesting) + strings.Repeat("]", maxNesting))); err != nil {
		t.Error(err)
	}
}

// FuzzNesting compares with a decoder that builds the values.
func FuzzNesting(f *testing.F) {
	f.Add(`{"a":[1,"\\\"[",{"b":{}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil || strings.Contains(text, ":") { // a repeated name hides a value
			t.Skip()
		}
		if got, want := nesting([]byte(text)), depthOf(v); got != want {
			t.Fatalf("%s: %d, want %d", text, got, want)
		}
	})
}

func depthOf(v any) (d int) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			d = max(d, depthOf(x))
		}
		return d + 1
	case map[string]any:
		return 1
	}
	return 0
}

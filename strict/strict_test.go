package strict

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestNesting(t *testing.T) {
	for text, want := range map[string]int{`1`: 0, `[]`: 1, `{"a":[1,{"b":2}]}`: 3, `"[[["`: 0, `["\"[","\\",[]]`: 2, `{"[":"]"}`: 1} {
		if got := Nesting([]byte(text)); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
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
		if got, want := Nesting([]byte(text)), depthOf(v); got != want {
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

// FuzzMembers compares with a decoder that goes from token to token; what is
// not valid must do no harm.
func FuzzMembers(f *testing.F) {
	f.Add(` {"a" : [1,"\"]",{"b":{}}], "\u0061": -1.5e3 ,"a":null, "":"x\\"} `)
	f.Add(`[1, "a]" ,[ ],{ }]`)
	f.Add(`{"a":}`)
	f.Add(`[`)
	f.Fuzz(func(t *testing.T, text string) {
		data := []byte(text)
		var got []string
		if IsArray(data) {
			for value := range Elements(data) {
				got = append(got, string(value))
			}
		} else if IsObject(data) {
			for name, value := range Members(data) {
				got = append(got, name, string(value))
			}
		}
		Nesting(data)
		if !json.Valid(data) {
			return
		}
		if want := decoded(data); !slices.Equal(got, want) {
			t.Fatalf("%q: %q, want %q", text, got, want)
		}
	})
}

// decoded returns what the array or object has, names too.
func decoded(data []byte) (all []string) {
	d := json.NewDecoder(bytes.NewReader(data))
	open, _ := d.Token()
	if open != json.Delim('{') && open != json.Delim('[') {
		return nil
	}
	for d.More() {
		if open == json.Delim('{') {
			name, _ := d.Token()
			all = append(all, name.(string))
		}
		var value json.RawMessage
		d.Decode(&value)
		all = append(all, string(value))
	}
	return all
}

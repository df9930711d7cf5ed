// Package strict takes JSON apart without building values, for readers that are
// stricter than encoding/json: there names match in any case, unknown ones are
// passed over and the last of two wins. All of it is for JSON that is known to
// be valid (json.Valid); what it returns are parts of what it is given.
package strict

import (
	"bytes"
	"encoding/json"
	"iter"
)

// IsObject reports whether the value is an object.
func IsObject(data []byte) bool { return bytes.HasPrefix(toValue(data), []byte{'{'}) }

// IsArray reports whether the value is an array.
func IsArray(data []byte) bool { return bytes.HasPrefix(toValue(data), []byte{'['}) }

// Elements yields the values in an array.
func Elements(array []byte) iter.Seq[[]byte] { return values(array) }

// Members yields the names and values of an object, in their order and as often
// as they stand there.
func Members(object []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		var name string
		named := false
		for value := range values(object) {
			if !named {
				name, named = String(value)
				continue
			}
			if named = false; !yield(name, value) {
				return
			}
		}
	}
}

// String returns what a JSON string says, and whether the value is one.
func String(value []byte) (s string, ok bool) {
	switch n := len(value); {
	case n < 2 || value[0] != '"':
		return "", false
	case bytes.IndexByte(value, '\\') < 0:
		return string(value[1 : n-1]), true
	}
	return s, json.Unmarshal(value, &s) == nil
}

// Nesting returns how deep arrays and objects are nested.
func Nesting(data []byte) (deepest int) {
	_, deepest = brackets(data)
	return deepest
}

// stringEnd returns how many bytes of a JSON string follow its first quote. A
// quote that was found is looked for again only when an escape has passed over
// it: else each of many escapes would search to the end.
func stringEnd(data []byte) int {
	i, quote := 0, -1
	for {
		if quote < i {
			next := bytes.IndexByte(data[i:], '"')
			if next < 0 {
				return len(data)
			}
			quote = i + next
		}
		escape := bytes.IndexByte(data[i:quote], '\\')
		if escape < 0 {
			return quote + 1
		}
		i = min(i+escape+2, len(data))
	}
}

// values yields what stands in an array or object, of an object its names, too.
func values(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		rest := toValue(data)
		if len(rest) > 0 {
			rest = toValue(rest[1:])
		}
		for len(rest) > 0 && rest[0] != ']' && rest[0] != '}' {
			n := valueEnd(rest)
			if !yield(rest[:n:n]) {
				return
			}
			rest = toValue(rest[n:])
		}
	}
}

// toValue skips what stands between values.
func toValue(data []byte) []byte { return bytes.TrimLeft(data, " \t\r\n,:") }

// valueEnd returns how long the value is that data begins with.
func valueEnd(data []byte) int {
	switch data[0] {
	case '"':
		return 1 + stringEnd(data[1:])
	case '[', '{':
		end, _ := brackets(data)
		return end
	}
	if n := bytes.IndexAny(data, " \t\r\n,]}"); n >= 0 {
		return n
	}
	return len(data)
}

// brackets returns where the first array or object ends, and how deep it is
// nested.
func brackets(data []byte) (end, deepest int) {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i += stringEnd(data[i+1:])
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1, deepest
			}
		}
	}
	return len(data), deepest
}

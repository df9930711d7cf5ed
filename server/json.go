package server

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// maxNesting is how deep JSON may be nested. Parsers end somewhere: PHP's at
// 512, Python's near 1,000, Go's at 10,000; and a subscriber's one has to get
// through the event with the envelope around it.
const maxNesting = 500

// checkJSON says what is wrong with data as a JSON value, nil if nothing is.
func checkJSON(data []byte) error {
	switch {
	case !utf8.Valid(data):
		return badRequest("the data is not UTF-8")
	case !json.Valid(data):
		return badRequest("the data is not JSON")
	}
	return checkNesting(data)
}

// checkNesting is for valid JSON.
func checkNesting(data []byte) error {
	if nesting(data) > maxNesting {
		return badRequest("the data is nested deeper than %d levels", maxNesting)
	}
	return nil
}

// nesting returns how deep valid JSON is nested.
func nesting(data []byte) (deepest int) {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i += stringEnd(data[i+1:])
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
		}
	}
	return deepest
}

// stringEnd returns how many bytes of a JSON string follow its first quote.
func stringEnd(data []byte) int {
	for i := 0; ; {
		next := bytes.IndexByte(data[i:], '"')
		if next < 0 {
			return len(data)
		}
		escape := bytes.IndexByte(data[i:i+next], '\\')
		if escape < 0 {
			return i + next + 1
		}
		i = min(i+escape+2, len(data))
	}
}

// values yields what stands in a valid JSON array or object, of an object its
// names, too.
func values(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		rest := toValue(toValue(data)[1:])
		for rest[0] != ']' && rest[0] != '}' {
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

// valueEnd returns how long the valid JSON value is that data begins with.
func valueEnd(data []byte) int {
	switch data[0] {
	case '"':
		return 1 + stringEnd(data[1:])
	case '[', '{':
		return bracketEnd(data)
	}
	if n := bytes.IndexAny(data, " \t\r\n,]}"); n >= 0 {
		return n
	}
	return len(data)
}

func bracketEnd(data []byte) int {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i += stringEnd(data[i+1:])
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(data)
}

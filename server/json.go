package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
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
	case nesting(data) > maxNesting:
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
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

// readObject reads one JSON object into the places that members names, and is
// stricter than encoding/json: names are compared exactly, and an unknown or
// repeated one is an error, for the sender meant something by it. It uses
// members up.
func readObject(raw []byte, members map[string]any) error {
	if !utf8.Valid(raw) {
		return badRequest("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return badRequest("not a JSON object")
	}
	for dec.More() {
		if err := readMember(dec, members); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return badRequest("not a JSON object")
	}
	if _, err := dec.Token(); err != io.EOF {
		return badRequest("something follows the JSON object")
	}
	return nil
}

func readMember(dec *json.Decoder, members map[string]any) error {
	t, err := dec.Token()
	name, ok := t.(string)
	if err != nil || !ok {
		return badRequest("not a JSON object")
	}
	place, ok := members[name]
	if !ok {
		return badRequest("unknown or repeated: %q", name)
	}
	delete(members, name)
	err = dec.Decode(place)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return badRequest("%q cannot be a JSON %s", name, wrong.Value)
	}
	if err != nil {
		return badRequest("not a JSON object")
	}
	return nil
}

package server

import (
	"encoding/json"
	"unicode/utf8"

	"runnel/strict"
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
	if strict.Nesting(data) > maxNesting {
		return badRequest("the data is nested deeper than %d levels", maxNesting)
	}
	return nil
}

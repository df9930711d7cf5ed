package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// member is one that a JSON object may have.
type member struct {
	name  string
	place any // for its value, as for json.Unmarshal
	given bool
}

// readObject reads one JSON object into its members' places, and is stricter
// than encoding/json: names are compared exactly, and an unknown or repeated
// one is an error, for the sender meant something by it.
func readObject(raw []byte, members []member) error {
	if err := checkObject(raw); err != nil {
		return err
	}
	return readMembers(raw, members)
}

// checkObject says what is wrong with raw as a JSON object.
func checkObject(raw []byte) error {
	switch dec := json.NewDecoder(bytes.NewReader(raw)); {
	case !utf8.Valid(raw):
		return badRequest("not UTF-8")
	case json.Valid(raw):
		return nil
	case isObject(raw) && dec.Decode(new(json.RawMessage)) == nil:
		return badRequest("something follows the JSON object")
	}
	return badRequest("not a JSON object")
}

func isObject(raw []byte) bool { return bytes.HasPrefix(toValue(raw), []byte{'{'}) }

// readMembers is readObject for what is valid JSON.
func readMembers(raw []byte, members []member) error {
	if !isObject(raw) {
		return badRequest("not a JSON object")
	}
	var m *member
	for value := range values(raw) {
		var err error
		if m == nil {
			m, err = memberOf(members, value)
		} else {
			err = m.set(value)
			m = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// memberOf finds the one with the name, which is a JSON string.
func memberOf(members []member, name []byte) (*member, error) {
	var s string
	if err := unmarshalString(name, &s); err != nil {
		return nil, badRequest("not a JSON object")
	}
	for i := range members {
		if m := &members[i]; m.name == s && !m.given {
			m.given = true
			return m, nil
		}
	}
	return nil, badRequest("unknown or repeated: %q", s)
}

func (m *member) set(value []byte) (err error) {
	switch place := m.place.(type) {
	case *json.RawMessage:
		*place = bytes.Clone(value)
	case *string:
		err = unmarshalString(value, place)
	default:
		err = json.Unmarshal(value, place)
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return badRequest("%q cannot be a JSON %s", m.name, wrong.Value)
	}
	if err != nil {
		return badRequest("not a JSON object")
	}
	return nil
}

// unmarshalString spares most strings the way through encoding/json.
func unmarshalString(value []byte, place *string) error {
	if n := len(value); value[0] == '"' && bytes.IndexByte(value, '\\') < 0 {
		*place = string(value[1 : n-1])
		return nil
	}
	return json.Unmarshal(value, place)
}

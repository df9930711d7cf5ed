package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"runnel/spelling"
	"runnel/strict"
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

// They are made once: of a few bytes each a body can bring many.
var (
	errNotUTF8     = badRequest("not UTF-8")
	errNotObject   = badRequest("not a JSON object")
	errAfterObject = badRequest("something follows the JSON object")
)

// checkObject says what is wrong with raw as a JSON object.
func checkObject(raw []byte) error {
	switch {
	case !utf8.Valid(raw):
		return errNotUTF8
	case json.Valid(raw):
		return nil
	case strict.IsObject(raw) && json.NewDecoder(bytes.NewReader(raw)).Decode(new(json.RawMessage)) == nil:
		return errAfterObject
	}
	return errNotObject
}

// readMembers is readObject for what is valid JSON.
func readMembers(raw []byte, members []member) error {
	if !strict.IsObject(raw) {
		return errNotObject
	}
	for name, value := range strict.Members(raw) {
		m := memberOf(members, name)
		switch {
		case m == nil:
			return unknownMember(members, name)
		case m.given:
			return badRequest("%s comes twice", strict.Quote(name))
		}
		m.given = true
		if err := m.set(value); err != nil {
			return err
		}
	}
	return nil
}

// unknownMember names the member that was meant, if one surely was.
func unknownMember(members []member, name string) error {
	names := make([]string, len(members))
	for i := range members {
		names[i] = members[i].name
	}
	if meant := spelling.Of(names...).Meant(name); meant != "" {
		return badRequest("there is no member %s; %s is meant", strict.Quote(name), meant)
	}
	return badRequest("there is no member %s", strict.Quote(name))
}

func memberOf(members []member, name string) *member {
	for i := range members {
		if members[i].name == name {
			return &members[i]
		}
	}
	return nil
}

func (m *member) set(value []byte) (err error) {
	switch place := m.place.(type) {
	case *json.RawMessage:
		*place = bytes.Clone(value)
	case *string:
		var ok bool
		if *place, ok = strict.String(value); !ok {
			err = json.Unmarshal(value, place)
		}
	default:
		err = json.Unmarshal(value, place)
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		kind, _, _ := strings.Cut(wrong.Value, " ") // behind a number's stands the number
		return badRequest("%q cannot be a JSON %s", m.name, kind)
	}
	if err != nil {
		return errNotObject
	}
	return nil
}

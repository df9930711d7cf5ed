package streams

import (
	"errors"
	"strconv"
	"strings"
)

// A message of a channel's pub/sub is a line and the event's bytes:
//
//	1 <id> <prev> json|text <len> <len> <len> <len>\n<type><from><exclude><data>
//
// The leading 1 is the form's version. The ID and prev of an ephemeral event
// are 0-0.
const messageVersion = "1"

var errBadMessage = errors.New("not a message of this hub")

// parseMessage reads what the append script published. The event does not
// refer to the message, so that its data is in memory once.
func parseMessage(message string) (*Event, error) {
	line, rest, ok := strings.Cut(message, "\n")
	if !ok {
		return nil, errBadMessage
	}
	var fields [8]string
	if !splitFields(line, fields[:]) || fields[0] != messageVersion {
		return nil, errBadMessage
	}
	e := &Event{}
	if !parseMessageIDs(e, fields[1], fields[2]) {
		return nil, errBadMessage
	}
	switch fields[3] {
	case "json":
	case "text":
		e.Text = true
	default:
		return nil, errBadMessage
	}
	var parts [4]string
	if !splitLengths(rest, fields[4:], parts[:]) {
		return nil, errBadMessage
	}
	e.Type, e.From, e.Exclude = strings.Clone(parts[0]), strings.Clone(parts[1]), strings.Clone(parts[2])
	e.Data = []byte(parts[3])
	return e, nil
}

// parseMessageIDs sets both IDs, which an event has or, when ephemeral, not.
func parseMessageIDs(e *Event, id, prev string) bool {
	var err, errPrev error
	e.ID, err = ParseID(id)
	e.Prev, errPrev = ParseID(prev)
	if err != nil || errPrev != nil {
		return false
	}
	if e.ID.IsZero() {
		return e.Prev.IsZero()
	}
	return e.ID.N == e.Prev.N+1 && e.Prev.Less(e.ID)
}

// splitFields cuts the line into exactly as many fields as there is room for.
func splitFields(line string, fields []string) bool {
	for i := range fields {
		field, rest, found := strings.Cut(line, " ")
		if found == (i == len(fields)-1) {
			return false
		}
		fields[i], line = field, rest
	}
	return true
}

// splitLengths cuts s into parts of the lengths, which have to use it up.
func splitLengths(s string, lengths, parts []string) bool {
	for i, text := range lengths {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil || n > uint64(len(s)) {
			return false
		}
		parts[i], s = s[:n], s[n:]
	}
	return s == ""
}

package server

import (
	"encoding/json"
	"slices"
	"time"

	"runnel/streams"
	"runnel/strict"
)

// message is what a client sends over a WebSocket: a publication and the
// members of the other types.
type message struct {
	item
	kind        string
	ref         json.RawMessage
	token       string
	lastEventID string
	since       string
	rewind      *int
	before      string
	limit       *int
	echo        *bool
}

// allowed names the members of each type beside type and ref.
var allowed = map[string][]string{
	"auth":        {"token"},
	"subscribe":   {"channel", "last_event_id", "since", "rewind"},
	"unsubscribe": {"channel"},
	"publish":     {"channel", "event", "data", "text", "ephemeral", "exclude", "echo", "idempotency_key"},
	"history":     {"channel", "last_event_id", "before", "limit"},
	"ping":        {},
}

// maxRef is how long a ref may be: it is echoed, and names a message.
const maxRef = 256

// readMessage reads a client's message. With an error the message's ref is
// still set if it was found.
func readMessage(raw []byte) (*message, error) {
	m := &message{}
	members := append(m.members(),
		member{name: "type", place: &m.kind}, member{name: "ref", place: &m.ref}, member{name: "token", place: &m.token},
		member{name: "last_event_id", place: &m.lastEventID}, member{name: "since", place: &m.since},
		member{name: "rewind", place: &m.rewind}, member{name: "before", place: &m.before},
		member{name: "limit", place: &m.limit}, member{name: "echo", place: &m.echo})
	if err := readObject(raw, members); err != nil {
		m.ref = goodRef(m.ref)
		return m, err
	}
	if m.ref != nil && goodRef(m.ref) == nil {
		m.ref = nil
		return m, badRequest("ref is a string or a number of at most %d bytes", maxRef)
	}
	return m, m.checkMembers(members)
}

// checkMembers refuses members that the type does not have.
func (m *message) checkMembers(members []member) error {
	known, ok := allowed[m.kind]
	if !ok {
		return badRequest("there is no message type %s", strict.Quote(m.kind))
	}
	for _, each := range members {
		if each.given && each.name != "type" && each.name != "ref" && !slices.Contains(known, each.name) {
			return badRequest("a %s message has no %q", m.kind, each.name)
		}
	}
	return nil
}

// goodRef returns ref if it is a string or a number, else nil.
func goodRef(ref json.RawMessage) json.RawMessage {
	if len(ref) == 0 || len(ref) > maxRef {
		return nil
	}
	if c := ref[0]; c == '"' || c == '-' || '0' <= c && c <= '9' {
		return ref
	}
	return nil
}

// beginning is where a subscribe message wants to begin: the first that is
// given, as with a request.
func (m *message) beginning() (streams.Start, error) {
	switch {
	case m.lastEventID != "":
		var b beginning
		err := b.readPosition(m.lastEventID, 1)
		return b.of(m.channel), err
	case m.since != "":
		return parseSince(m.since, time.Now())
	case m.rewind != nil:
		return parseRewind(*m.rewind)
	}
	return streams.Now(), nil
}

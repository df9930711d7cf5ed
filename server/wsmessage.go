package server

import (
	"encoding/json"
	"slices"
	"time"

	"runnel/streams"
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
	members := m.members()
	for name, place := range map[string]any{
		"type": &m.kind, "ref": &m.ref, "token": &m.token, "last_event_id": &m.lastEventID, "since": &m.since,
		"rewind": &m.rewind, "before": &m.before, "limit": &m.limit, "echo": &m.echo,
	} {
		members[name] = place
	}
	all := names(members)
	if err := readObject(raw, members); err != nil {
		m.ref = goodRef(m.ref)
		return m, err
	}
	if m.ref != nil && goodRef(m.ref) == nil {
		m.ref = nil
		return m, badRequest("ref is a string or a number of at most %d bytes", maxRef)
	}
	return m, m.checkMembers(all, members)
}

func names(members map[string]any) (all []string) {
	for name := range members {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// checkMembers refuses members that the type does not have: absent are those
// that were not used up.
func (m *message) checkMembers(all []string, absent map[string]any) error {
	known, ok := allowed[m.kind]
	if !ok {
		return badRequest("there is no message type %q", m.kind)
	}
	for _, name := range all {
		if _, missing := absent[name]; missing || name == "type" || name == "ref" {
			continue
		}
		if !slices.Contains(known, name) {
			return badRequest("a %s message has no %q", m.kind, name)
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

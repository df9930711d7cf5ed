package server

import (
	"encoding/json"
	"unicode/utf8"
)

// item is a publication as a JSON object: an item of a batch, or, with
// members of its own beside these, a WebSocket message.
type item struct {
	channel   string
	event     string
	data      json.RawMessage // the value as it stands, null too
	text      *string
	ephemeral bool
	exclude   string
	key       *string
}

func (it *item) members() []member {
	return []member{
		{name: "channel", place: &it.channel},
		{name: "event", place: &it.event},
		{name: "data", place: &it.data},
		{name: "text", place: &it.text},
		{name: "ephemeral", place: &it.ephemeral},
		{name: "exclude", place: &it.exclude},
		{name: "idempotency_key", place: &it.key},
	}
}

// publication checks that there is data or text, not both.
func (it *item) publication() (*publication, error) {
	p := &publication{channel: it.channel, event: it.event, data: it.data, valid: true, ephemeral: it.ephemeral, exclude: it.exclude, key: it.key}
	switch {
	case it.text != nil && it.data != nil:
		return nil, badRequest("either data or text, not both")
	case it.text != nil:
		p.data, p.text = []byte(*it.text), true
	case it.data == nil:
		return nil, badRequest("there is no data")
	}
	return p, nil
}

// readItem reads an item of a batch, which is valid JSON.
func readItem(raw []byte) (*publication, error) {
	if !utf8.Valid(raw) {
		return nil, badRequest("not UTF-8")
	}
	var it item
	if err := readMembers(raw, it.members()); err != nil {
		return nil, err
	}
	return it.publication()
}

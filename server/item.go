package server

import "encoding/json"

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

// members says where each member goes, for readObject.
func (it *item) members() map[string]any {
	return map[string]any{
		"channel":         &it.channel,
		"event":           &it.event,
		"data":            &it.data,
		"text":            &it.text,
		"ephemeral":       &it.ephemeral,
		"exclude":         &it.exclude,
		"idempotency_key": &it.key,
	}
}

// publication checks that there is data or text, not both.
func (it *item) publication() (*publication, error) {
	p := &publication{channel: it.channel, event: it.event, data: it.data, ephemeral: it.ephemeral, exclude: it.exclude, key: it.key}
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

// readItem reads an item of a batch.
func readItem(raw []byte) (*publication, error) {
	var it item
	if err := readObject(raw, it.members()); err != nil {
		return nil, err
	}
	return it.publication()
}

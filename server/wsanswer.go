package server

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/coder/websocket"
)

// answer does what a message asks for. One that is none counts, too.
func (v *conversation) answer(kind websocket.MessageType, raw []byte) {
	m, err := &message{}, error(errBinary)
	if kind == websocket.MessageText {
		m, err = readMessage(raw)
	}
	if refusal, goOn := v.count(); refusal != nil {
		v.fail(m.ref, refusal)
		if !goOn {
			v.close(refusal)
		}
		return
	}
	if err == nil {
		err = v.do(m)
	}
	if err != nil {
		v.fail(m.ref, err)
	}
}

var errBinary = badRequest("a message is text: one JSON object")

// count counts a message, or refuses it, as [messageLimit.take] does.
func (v *conversation) count() (refusal *apiError, goOn bool) {
	if v.unlimited() {
		return nil, true
	}
	if v.limit == nil {
		v.limit = v.server.newMessageLimit()
	}
	return v.limit.take(time.Now())
}

// unlimited reports whether the peer is a server with an API key, which may
// publish as fast as it goes.
func (v *conversation) unlimited() bool { return v.claims != nil && v.claims.APIKey }

func (v *conversation) do(m *message) error {
	if m.kind == "auth" {
		return v.authenticate(m)
	}
	if v.claims == nil {
		return unauthorized("the first message has to be auth", "")
	}
	if m.channel == "" {
		m.channel = v.only
	}
	switch m.kind {
	case "subscribe":
		return v.doSubscribe(m)
	case "unsubscribe":
		return v.doUnsubscribe(m)
	case "publish":
		return v.doPublish(m)
	case "history":
		return v.doHistory(m)
	default: // ping: readMessage knows no others
		v.reply("pong", m.ref, nil)
		return nil
	}
}

func (v *conversation) doPublish(m *message) error {
	p, err := m.publication()
	if err != nil {
		return err
	}
	if m.echo != nil && !*m.echo {
		p.exclude = v.feed.id
	}
	draft, err := v.server.draft(v.claims, p)
	if err != nil {
		return err
	}
	if !v.feed.hold() {
		return nil // the feed is closing, and takes no answer
	}
	results, err := v.server.publish(v.feed.hub.ctx, p.channel, draft)
	if err == nil {
		err = results[0].Err
	}
	if err != nil {
		v.feed.letGo(v.failure(m.ref, err))
		return nil
	}
	v.feed.letGo(frame("published", m.ref, func(b []byte) []byte {
		return appendJSONID(append(b, `,"id":`...), results[0].ID)
	}))
	return nil
}

func (v *conversation) doHistory(m *message) error {
	if err := maySubscribe(v.claims, m.channel); err != nil {
		return err
	}
	q, err := m.pageQuery()
	if err != nil {
		return err
	}
	ctx, done := v.feed.context(historyWait)
	defer done()
	page, held, err := v.server.readPage(ctx, v.claims, m.channel, q)
	defer held.leave()
	if err != nil {
		return err
	}
	b := frame("history", m.ref, func(b []byte) []byte {
		b = slices.Grow(b, page.encodedSize())
		b = appendJSONString(append(b, `,"channel":`...), m.channel)
		return page.appendMembers(append(b, ','), m.channel)
	})
	held.shrink(len(b))
	v.feed.sendWhole(b, v.server.limits.AnswerWait, func() { v.close(errNotTaken) })
	return nil
}

// errNotTaken closes a peer for which an answer is held while it takes none of
// it, as a request's connection is.
var errNotTaken = fault(codeUnavailable, "the answer was not taken in time; ask for less at once")

// frame makes a message of the hub's: its type, the ref it answers, and what
// members appends.
func frame(kind string, ref json.RawMessage, members func([]byte) []byte) []byte {
	b := appendJSONString([]byte(`{"type":`), kind)
	if ref != nil {
		b = append(append(b, `,"ref":`...), ref...)
	}
	if members != nil {
		b = members(b)
	}
	return appendText(nil, append(b, '}'))
}

func (v *conversation) reply(kind string, ref json.RawMessage, members func([]byte) []byte) {
	v.feed.send(frame(kind, ref, members))
}

// fail answers a message with an error; the connection stays. One that is
// ending is told nothing: that is why its message could not be answered.
func (v *conversation) fail(ref json.RawMessage, err error) {
	if !v.feed.isClosing() {
		v.feed.send(v.failure(ref, err))
	}
}

// failure is that answer. It counts the error.
func (v *conversation) failure(ref json.RawMessage, err error) []byte {
	e := describe(err)
	v.note(e)
	return frame("error", ref, func(b []byte) []byte {
		b = appendJSONString(append(b, `,"code":`...), e.code)
		return appendJSONString(append(b, `,"message":`...), e.message)
	})
}

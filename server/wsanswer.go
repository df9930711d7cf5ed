package server

import (
	"context"
	"encoding/json"
	"time"

	"runnel/auth"
	"runnel/streams"
)

// begin welcomes an authenticated client and subscribes it to the channels of
// its URL.
func (v *conversation) begin() {
	f := v.feed
	if v.only != "" {
		if err := maySubscribe(v.claims, v.only); err != nil {
			v.close(forbiddenChannel(err))
			return
		}
	}
	f.send(appendText(nil, v.server.welcomeJSON(f)))
	channels, start := v.channels, v.start
	v.channels, v.start = nil, beginning{}
	for _, channel := range channels {
		if err := v.subscribe(nil, channel, start.of(channel)); err != nil {
			e := describe(err)
			if e.close == closeForbidden || e.close == closeUnavailable {
				v.close(e)
				return
			}
			v.fail(nil, err)
		}
	}
}

// forbiddenChannel closes with 4003 whatever is wrong with the URL's channel.
func forbiddenChannel(err error) error { return describe(err).closing(closeForbidden) }

// answer does what a message asks for.
func (v *conversation) answer(raw []byte) {
	if v.limit == nil {
		v.limit = v.server.newMessageLimit()
	}
	m, err := readMessage(raw)
	if refusal, goOn := v.limit.take(time.Now()); refusal != nil {
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

// authenticate takes the first token, or a new one of the same user.
func (v *conversation) authenticate(m *message) error {
	claims, err := v.server.verifier.Verify(v.feed.hub.ctx, m.token)
	if err != nil {
		v.fail(m.ref, err)
		v.close(err)
		return nil
	}
	if v.claims == nil {
		return v.firstToken(m, claims)
	}
	if claims.Publisher() != v.claims.Publisher() {
		return forbidden("the token is another user's")
	}
	v.claims = claims
	v.feed.renew(claims)
	if v.stillHolds() {
		v.replyAuth(m.ref, claims)
		v.dropForbidden()
	}
	return nil
}

func (v *conversation) firstToken(m *message, claims *auth.Claims) error {
	if !v.feed.stopOvertime() {
		return nil // too late: it is being closed
	}
	if err := v.feed.welcome(claims); err != nil {
		v.close(err)
		return nil
	}
	v.claims = claims
	if v.stillHolds() {
		v.replyAuth(m.ref, claims)
		v.begin()
	}
	return nil
}

func (v *conversation) replyAuth(ref json.RawMessage, claims *auth.Claims) {
	v.reply("auth", ref, func(b []byte) []byte {
		b = appendUser(append(b, `,"user":`...), claims)
		if claims.Expires.IsZero() {
			return append(b, `,"expires_at":null`...)
		}
		b = claims.Expires.UTC().AppendFormat(append(b, `,"expires_at":"`...), timeLayout)
		return append(b, '"')
	})
}

// dropForbidden ends the subscriptions that the new token does not allow.
func (v *conversation) dropForbidden() {
	for _, channel := range v.feed.channels() {
		if err := maySubscribe(v.claims, channel); err != nil {
			v.feed.unsubscribe(channel, unsubscribed(nil, channel, describe(err).code))
		}
	}
}

func (v *conversation) doSubscribe(m *message) error {
	start, err := m.beginning()
	if err != nil {
		return err
	}
	return v.subscribe(m.ref, m.channel, start)
}

func (v *conversation) subscribe(ref json.RawMessage, channel string, start streams.Start) error {
	if err := maySubscribe(v.claims, channel); err != nil {
		return err
	}
	switch n, has := v.feed.subscribed(channel); {
	case has:
		return fault(codeConflict, "already subscribed to "+channel)
	case n >= v.server.limits.SocketChannels:
		return badRequest("a WebSocket has at most %d channels", v.server.limits.SocketChannels)
	}
	ctx, cancel := context.WithTimeout(v.feed.hub.ctx, followWait)
	defer cancel()
	sub, err := v.server.broker.Subscribe(ctx, channel, start, v.feed)
	if err != nil {
		return err
	}
	announce := frame("subscribed", ref, func(b []byte) []byte {
		b = appendJSONString(append(b, `,"channel":`...), channel)
		return appendJSONID(append(b, `,"last_event_id":`...), sub.Position())
	})
	if !v.feed.subscribe(sub, announce) {
		sub.Close()
	}
	return nil
}

func (v *conversation) doUnsubscribe(m *message) error {
	if !v.feed.unsubscribe(m.channel, unsubscribed(m.ref, m.channel, "")) {
		return fault(codeNotFound, "not subscribed to "+m.channel)
	}
	return nil
}

func unsubscribed(ref json.RawMessage, channel, code string) []byte {
	return frame("unsubscribed", ref, func(b []byte) []byte {
		b = appendJSONString(append(b, `,"channel":`...), channel)
		if code != "" {
			b = appendJSONString(append(b, `,"code":`...), code)
		}
		return b
	})
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
	if !v.awaitRoom() {
		return nil // the feed is closing, and takes no answer
	}
	v.feed.hold()
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

// awaitRoom waits for room for an answer, since letGo queues it without. It
// reports false when the feed is closing.
func (v *conversation) awaitRoom() bool {
	v.feed.mu.Lock()
	defer v.feed.mu.Unlock()
	v.feed.awaitRoom()
	return !v.feed.closing && !v.feed.ended
}

func (v *conversation) doHistory(m *message) error {
	if err := maySubscribe(v.claims, m.channel); err != nil {
		return err
	}
	q, err := m.pageQuery()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(v.feed.hub.ctx, historyWait)
	defer cancel()
	page, err := v.server.readPage(ctx, m.channel, q)
	if err != nil {
		return err
	}
	v.reply("history", m.ref, func(b []byte) []byte {
		b = appendJSONString(append(b, `,"channel":`...), m.channel)
		return page.appendMembers(append(b, ','), m.channel)
	})
	return nil
}

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

// fail answers a message with an error; the connection stays.
func (v *conversation) fail(ref json.RawMessage, err error) { v.feed.send(v.failure(ref, err)) }

// failure is that answer. It counts the error.
func (v *conversation) failure(ref json.RawMessage, err error) []byte {
	e := describe(err)
	v.note(e)
	return frame("error", ref, func(b []byte) []byte {
		b = appendJSONString(append(b, `,"code":`...), e.code)
		return appendJSONString(append(b, `,"message":`...), e.message)
	})
}

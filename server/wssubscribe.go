package server

import (
	"encoding/json"

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
	ctx, done := v.feed.context(followWait)
	defer done()
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
	if err := streams.ValidChannel(m.channel); err != nil {
		return err
	}
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

package server

import (
	"encoding/json"

	"runnel/auth"
)

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
	if v.stands() {
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
	if v.stands() {
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

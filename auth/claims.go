package auth

import (
	"strings"
	"time"
)

// Claims is who a client is and what it may do. It never changes, so that
// every request and connection of a token can share it.
type Claims struct {
	Subject string    // the user; "" for an API key and in demo mode
	Expires time.Time // when all that was opened with it ends; zero: never
	Device  string    // which of the user's devices, "" if the token does not say
	Admin   bool      // may see the operator's pages and read the hub's own channels ($…); gives no right to any other

	Subscribe Patterns
	Publish   Patterns
	Presence  Patterns

	APIKey  bool   // a server's key
	Key     string // tells that key from others without giving it away
	KeyName string // what its configuration calls it, "" for nothing
	Demo    bool   // no key is configured: everything is allowed

	// only, when not nil, is all that may be read, and nothing else may be
	// done: the claims came from a ticket for these channels.
	only     channelSet
	anywhere bool   // an API key without rights of its own: publishes anywhere but to the hub's own channels, nothing else
	ticket   bool   // came from a ticket, which gets no further tickets
	source   string // what vouched for it, see Verifier.Holds
	rights   string // those that its source gives it, where it does
}

// MaySubscribe reports whether the channel may be read. A user's own channel
// always may, unless a ticket names others.
func (c *Claims) MaySubscribe(channel string) bool {
	switch {
	case channel == "":
		return false
	case c.Demo:
		return true
	case c.APIKey:
		return c.Subscribe.Match(channel)
	case c.only != nil:
		return c.only.has(channel)
	case strings.HasPrefix(channel, userPrefix) && channel == UserChannel(c.Subject):
		return true
	case c.Admin && channel[0] == '$':
		return true
	}
	return c.Subscribe.Match(channel)
}

// MayPublish reports whether events may be published to the channel. Nobody
// may publish to a channel of the hub's own, whatever the token says.
func (c *Claims) MayPublish(channel string) bool {
	switch {
	case channel == "" || channel[0] == '$' || c.only != nil:
		return false
	case c.Demo || c.anywhere:
		return true
	}
	return c.Publish.Match(channel)
}

// MaySeePresence reports whether the client may see who is in the channel.
func (c *Claims) MaySeePresence(channel string) bool {
	switch {
	case channel == "" || c.APIKey || c.only != nil:
		return false
	case c.Demo:
		return true
	}
	return c.Presence.Match(channel)
}

// Publisher names who publishes: the namespace of idempotency keys, and what
// has to stay the same when a connection renews its token. "user:<sub>",
// "key:<hash>", or "" in demo mode.
func (c *Claims) Publisher() string {
	switch {
	case c.Demo:
		return ""
	case c.APIKey:
		return "key:" + c.Key
	}
	return userPrefix + c.Subject
}

func demoClaims() *Claims {
	return &Claims{Demo: true, Admin: true, source: demoSource}
}

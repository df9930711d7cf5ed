package auth

import "testing"

func mustPatterns(t testing.TB, texts ...string) Patterns {
	t.Helper()
	ps, err := ParsePatterns(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

func TestRights(t *testing.T) {
	chat, all := mustPatterns(t, "chat:*"), mustPatterns(t, "**", "$**", "user:**")
	user := &Claims{Subject: "ann", Subscribe: chat, Publish: chat, Presence: chat}
	root := &Claims{Subject: "root", Admin: true, Subscribe: all, Publish: all, Presence: all}
	none := &Claims{Subject: "ann"}
	admin := &Claims{Subject: "ann", Admin: true}
	key := newAPIKey(APIKey{Key: serverKey}).claims
	reads := newAPIKey(APIKey{Key: serverKey, Rights: &Rights{Subscribe: chat}}).claims
	both := newAPIKey(APIKey{Key: serverKey, Rights: &Rights{Subscribe: all, Publish: chat}}).claims
	ticket := &Claims{Subject: "ann", only: newChannelSet([]string{"chat:1"}), Subscribe: all, Publish: all, Presence: all}
	demo := demoClaims()
	const read, write, presence = 1, 2, 4
	for _, c := range []struct {
		name    string
		claims  *Claims
		channel string
		may     int
	}{
		{"user", user, "chat:1", read | write | presence},
		{"user", user, "news", 0},
		{"user", user, "user:ann", read},
		{"user", user, "user:ann:x", 0},
		{"user", user, "user:anna", 0},
		{"user", user, "user:bob", 0},
		{"user", user, "$node:x", 0},
		{"user", user, "", 0},
		{"none", none, "user:ann", read},
		{"none", none, "chat:1", 0},
		{"admin", admin, "chat:1", 0},
		{"admin", admin, "user:bob", 0},
		{"admin", admin, "$node:x", read},
		{"root", root, "user:bob", read | write | presence},
		{"root", root, "$node:x", read | presence},
		{"key", &key, "chat:1", write},
		{"key", &key, "user:bob", write},
		{"key", &key, "$node:x", 0},
		{"key", &key, "user:", write},
		{"key", &key, "", 0},
		{"key that reads", &reads, "chat:1", read},
		{"key that reads", &reads, "news", 0},
		{"key that reads", &reads, "user:", 0},
		{"key with both", &both, "chat:1", read | write},
		{"key with both", &both, "news", read},
		{"key with both", &both, "user:bob", read},
		{"key with both", &both, "$node:x", read},
		{"ticket", ticket, "chat:1", read},
		{"ticket", ticket, "chat:2", 0},
		{"ticket", ticket, "user:ann", 0},
		{"demo", demo, "chat:1", read | write | presence},
		{"demo", demo, "user:bob", read | write | presence},
		{"demo", demo, "$node:x", read | presence},
		{"demo", demo, "", 0},
	} {
		got := 0
		if c.claims.MaySubscribe(c.channel) {
			got |= read
		}
		if c.claims.MayPublish(c.channel) {
			got |= write
		}
		if c.claims.MaySeePresence(c.channel) {
			got |= presence
		}
		if got != c.may {
			t.Errorf("%s on %q: rights %03b, want %03b", c.name, c.channel, got, c.may)
		}
	}
}

func TestPublisher(t *testing.T) {
	for want, c := range map[string]*Claims{
		"user:ann": {Subject: "ann"},
		"key:12ab": {APIKey: true, Key: "12ab"},
		"":         demoClaims(),
	} {
		if got := c.Publisher(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

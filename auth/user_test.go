package auth

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestUserChannel(t *testing.T) {
	for sub, want := range map[string]string{
		"":                       "",
		"ann":                    "user:ann",
		"ann@example.com":        "user:ann@example.com",
		"auth0|5f7c":             "user:auth0~7C5f7c",
		"a:b":                    "user:a~3Ab",
		"a~3Ab":                  "user:a~7E3Ab",
		"é":                      "user:~C3~A9",
		"*":                      "user:~2A",
		"**":                     "user:~2A~2A",
		"$":                      "user:~24",
		"\x00":                   "user:~00",
		strings.Repeat("a", 123): "user:" + strings.Repeat("a", 123),
		strings.Repeat("a", 124): "",
		strings.Repeat(":", 41):  "user:" + strings.Repeat("~3A", 41),
		strings.Repeat(":", 42):  "",
	} {
		if got := UserChannel(sub); got != want {
			t.Errorf("%q: %q, want %q", sub, got, want)
		}
	}
}

var channelName = regexp.MustCompile(`\A[A-Za-z0-9_.:@~-]{1,128}\z`)

// decodeUser undoes the escaping with somebody else's decoder: what can be
// undone has no two origins.
func decodeUser(t interface{ Fatalf(string, ...any) }, channel string) string {
	escaped, ok := strings.CutPrefix(channel, "user:")
	if !ok || !channelName.MatchString(channel) || strings.Contains(escaped, ":") {
		t.Fatalf("%q is not a user's channel", channel)
	}
	sub, err := url.PathUnescape(strings.ReplaceAll(escaped, "~", "%"))
	if err != nil {
		t.Fatalf("%q: %v", channel, err)
	}
	return sub
}

func checkUserChannel(t interface{ Fatalf(string, ...any) }, sub string) {
	if channel := UserChannel(sub); channel != "" {
		if back := decodeUser(t, channel); back != sub {
			t.Fatalf("%q becomes %q becomes %q", sub, channel, back)
		}
	} else if sub != "" && len(sub)*3 <= maxChannel-len(userPrefix) {
		t.Fatalf("%q has no channel", sub)
	}
}

func TestUserChannelProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sub := rapid.OneOf(rapid.String(), rapid.StringMatching(`([~:a3A%]|~3A|%3A){0,20}`)).Draw(t, "sub")
		checkUserChannel(t, sub)
		other := rapid.StringMatching(`[~:3A]{0,6}`).Draw(t, "other")
		if c := UserChannel(sub); c != "" && sub != other && c == UserChannel(other) {
			t.Fatalf("%q and %q share %q", sub, other, c)
		}
	})
}

func FuzzUserChannel(f *testing.F) {
	for _, s := range []string{"ann", "a:b", "a~3Ab", "~7E", "\xff", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sub string) { checkUserChannel(t, sub) })
}

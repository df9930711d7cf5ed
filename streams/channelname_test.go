package streams

import (
	"regexp"
	"strings"
	"testing"
)

// channelForm is protocol.md's sentence as a regular expression.
var channelForm = regexp.MustCompile(`^\$?[A-Za-z0-9_\-.:@~]+$`)

func FuzzValidChannel(f *testing.F) {
	long := strings.Repeat("x", MaxChannelName)
	for _, s := range []string{
		"orders", "chat:42", "user:ana~40example", "$node:a", "a", "~", "@", "-", "_", ":", "...", "..a", "$.", "$..",
		"", ".", "..", "$", "$$a", "a$", "a b", "a/b", "é", "a\n", "a\x00", "*", "{a}", "\xff",
		long, long + "x", "$" + long[1:], "$" + long,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := channelForm.MatchString(s) && !strings.HasSuffix(s, "\n") && len(s) <= 128 && s != "." && s != ".."
		if err := ValidChannel(s); (err == nil) != want || err != nil && err != ErrBadChannel {
			t.Fatalf("%q: %v", s, err)
		}
		if own := strings.HasPrefix(s, "$"); OwnChannel(s) != own {
			t.Fatalf("%q is the hub's own: %v", s, !own)
		}
	})
}

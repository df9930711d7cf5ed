package auth

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{"chat", []string{"chat"}, []string{"chat:1", "cha", "chats", ""}},
		{"chat:*", []string{"chat:1", "chat:", "chat:a.b-c"}, []string{"chat", "chat:1:2", "chats:1"}},
		{"chat:**", []string{"chat:", "chat:1", "chat:1:2"}, []string{"chat", "chats:1"}},
		{"*", []string{"chat", "user", "users"}, []string{"chat:1", "user:bob", "$node", ""}},
		{"**", []string{"chat", "chat:1:2", "users:bob", "user"}, []string{"user:bob", "user:", "$node:x", "$", ""}},
		{"*:x", []string{"chat:x", ":x"}, []string{"user:x", "$node:x", "a:b:x"}},
		{"u**", []string{"users", "u"}, []string{"user:bob"}},
		{"user*", []string{"users", "user"}, []string{"user:bob"}},
		{"user**", []string{"users:bob"}, []string{"user:bob"}},
		{"user:*", []string{"user:bob", "user:"}, []string{"users:bob", "user:a:b"}},
		{"user:**", []string{"user:bob", "user:a:b"}, []string{"$user:bob"}},
		{"user:bob", []string{"user:bob"}, []string{"user:bobby", "user:bo"}},
		{"$node:*", []string{"$node:x"}, []string{"node:x", "$other:x"}},
		{"$**", []string{"$node:x", "$"}, []string{"node:x"}},
		{"a*b*c", []string{"abc", "aXbYc", "abbcc", "abcbc"}, []string{"ab:c", "acb", "abcd"}},
		{"*a:*b:c", []string{"xa:yb:c", "aa:b:c"}, []string{"xa:yb:d", "a:b:c:c", "a:c:c"}},
		{"a*b**", []string{"ab", "axb:c", "aabb:b"}, []string{"a:b", "ac"}},
		{"~:@.-_", []string{"~:@.-_"}, []string{"~"}},
	} {
		p, err := ParsePattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.yes {
			if !p.Match(s) {
				t.Errorf("%q does not match %q", c.pattern, s)
			}
		}
		for _, s := range c.no {
			if p.Match(s) {
				t.Errorf("%q matches %q", c.pattern, s)
			}
		}
	}
	if (Pattern{}).Match("chat") || (Pattern{}).Match("") {
		t.Error("the zero pattern matches")
	}
}

func TestBadPattern(t *testing.T) {
	for _, s := range []string{"", "***", "**a", "a**:b", "a:***", "a b", "a$", "a:$b", "chät", "a/b", "a\n", strings.Repeat("a", MaxPattern+1)} {
		if p, err := ParsePattern(s); err == nil {
			t.Errorf("%q was read as %v", s, p)
		}
	}
	if _, err := ParsePatterns("a", "b:**c"); err == nil || !strings.Contains(err.Error(), `"b:**c"`) {
		t.Errorf("the error does not name the pattern: %v", err)
	}
}

func TestPatternText(t *testing.T) {
	var ps Patterns
	if err := json.Unmarshal([]byte(`["chat:*","$node:**"]`), &ps); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(ps)
	if err != nil || string(b) != `["chat:*","$node:**"]` {
		t.Fatalf("%s, %v", b, err)
	}
	if json.Unmarshal([]byte(`["a b"]`), &ps) == nil {
		t.Error("a bad pattern was read")
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	ps, err := ParsePatterns("chat:*:x*y", "a*:b*:c**", "user:*")
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { ps.Match("user:bob"); ps.Match("aa:bb:cc:dd"); ps.Match("chat:1:y") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// byRegexp is the rule of the protocol in other words.
func byRegexp(pattern, channel string) bool {
	re := regexp.QuoteMeta(pattern)
	re = strings.ReplaceAll(re, `\*\*`, `.*`)
	re = strings.ReplaceAll(re, `\*`, `[^:]*`)
	if !regexp.MustCompile(`\A(?s:` + re + `)\z`).MatchString(channel) {
		return false
	}
	literal, _, _ := strings.Cut(pattern, "*")
	if strings.HasPrefix(channel, "user:") {
		return strings.HasPrefix(literal, "user:")
	}
	return !strings.HasPrefix(channel, "$") || strings.HasPrefix(literal, "$")
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"**\nuser:bob", "a*b*c\nabcbc", "user:*\nuser:x", "$**\n$n:x", "*:x\n$n:x", "*a:*b:c\nxa:yb:c", "a*b**\naxb:c"} {
		pattern, channel, _ := strings.Cut(s, "\n")
		f.Add(pattern, channel)
	}
	f.Fuzz(func(t *testing.T, pattern, channel string) {
		p, err := ParsePattern(pattern)
		if err != nil || channel == "" {
			return
		}
		if got, want := p.Match(channel), byRegexp(pattern, channel); got != want {
			t.Fatalf("%q on %q: %v, want %v", pattern, channel, got, want)
		}
	})
}

// Random patterns over few letters meet each other far more often than bytes do.
func TestPatternProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`(\$|user:|)([ab:]|\*[ab:]){0,8}(\*\*|\*|)`).Draw(t, "pattern")
		channel := rapid.StringMatching(`(\$|user:|)[ab:]{0,10}`).Draw(t, "channel")
		p, err := ParsePattern(pattern)
		if err != nil || channel == "" {
			return
		}
		if got, want := p.Match(channel), byRegexp(pattern, channel); got != want {
			t.Fatalf("%q on %q: %v, want %v", pattern, channel, got, want)
		}
	})
}

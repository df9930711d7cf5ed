package auth

import (
	"fmt"
	"strings"

	"runnel/strict"
)

// MaxPattern is how many bytes a pattern can have: twice a channel name.
const MaxPattern = 256

const userPrefix = "user:"

// Pattern names channels. "*" stands for any run of characters within one
// segment, also none; "**", only at the end, for any rest, also none.
// Channels that begin with "user:" or "$" are matched only by a pattern that
// begins with the same, literally: neither "**" nor "user*" opens a user's
// channel. The zero Pattern matches nothing.
type Pattern struct {
	text string
	body string // text without a final "**"
	rest bool   // there was one
}

// ParsePattern reads a pattern of 1 to [MaxPattern] bytes: characters of
// channel names, "*", a final "**", and "$" as the first.
func ParsePattern(s string) (Pattern, error) {
	if s == "" || len(s) > MaxPattern {
		return Pattern{}, fmt.Errorf("a channel pattern has 1 to %d bytes, not %d", MaxPattern, len(s))
	}
	body, rest := strings.CutSuffix(s, "**")
	if strings.Contains(body, "**") || rest && strings.HasSuffix(body, "*") {
		return Pattern{}, fmt.Errorf(`in the channel pattern %s "**" has to be the end`, strict.Quote(s))
	}
	for i := range len(body) {
		if c := body[i]; !nameByte(c) && c != '*' && (c != '$' || i > 0) {
			return Pattern{}, fmt.Errorf("the channel pattern %s has a character that no channel name has: %q", strict.Quote(s), c)
		}
	}
	return Pattern{text: s, body: body, rest: rest}, nil
}

// nameByte reports whether c may stand in a channel name.
func nameByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("_-.:@~", c) >= 0
}

// Match reports whether the pattern names the channel. It allocates nothing.
func (p Pattern) Match(channel string) bool {
	switch {
	case p.text == "" || channel == "" || len(channel) > maxChannel:
		return false
	case channel[0] == '$' && p.text[0] != '$':
		return false
	case strings.HasPrefix(channel, userPrefix) && !strings.HasPrefix(p.text, userPrefix):
		return false
	}
	return p.glob(channel)
}

// glob lets the latest "*" grow where the rest does not fit. No earlier one
// needs another try: colons pin the segments to each other, and within a
// segment the shortest run leaves the most to what follows.
func (p Pattern) glob(s string) bool {
	i, j, star, mark := 0, 0, -1, 0
	for {
		switch {
		case i == len(p.body) && (p.rest || j == len(s)):
			return true
		case i < len(p.body) && p.body[i] == '*':
			star, mark = i, j
			i++
		case i < len(p.body) && j < len(s) && p.body[i] == s[j]:
			i++
			j++
		case star < 0 || mark == len(s) || s[mark] == ':':
			return false
		default:
			mark++
			i, j = star+1, mark
		}
	}
}

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }

// MarshalText returns the pattern as it was written.
func (p Pattern) MarshalText() ([]byte, error) { return []byte(p.text), nil }

// UnmarshalText is [ParsePattern], for configuration files and flags.
func (p *Pattern) UnmarshalText(b []byte) (err error) {
	*p, err = ParsePattern(string(b))
	return err
}

// Patterns is a list of which any may match.
type Patterns []Pattern

// ParsePatterns reads each of the patterns; the first that is none is the error.
func ParsePatterns(texts ...string) (Patterns, error) {
	ps := make(Patterns, len(texts))
	for i, s := range texts {
		p, err := ParsePattern(s)
		if err != nil {
			return nil, err
		}
		ps[i] = p
	}
	return ps, nil
}

// Match reports whether any pattern names the channel. It allocates nothing.
func (ps Patterns) Match(channel string) bool {
	for _, p := range ps {
		if p.Match(channel) {
			return true
		}
	}
	return false
}

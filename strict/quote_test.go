package strict

import (
	"strings"
	"testing"
)

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"":                              `""`,
		"plain":                         `"plain"`,
		`a "quote"`:                     `"a \"quote\""`,
		"\x00\u202e\xff\n":              `"\x00\u202e\xff\n"`,
		strings.Repeat("x", 64):         `"` + strings.Repeat("x", 64) + `"`,
		strings.Repeat("x", 65):         `"` + strings.Repeat("x", 64) + `…"`,
		strings.Repeat("x", 1<<20):      `"` + strings.Repeat("x", 64) + `…"`,
		strings.Repeat("x", 63) + "üü":  `"` + strings.Repeat("x", 63) + `…"`,
		strings.Repeat("\x80", 1<<10):   `"…"`,
		strings.Repeat("\u0001", 1<<10): `"` + strings.Repeat(`\x01`, 64) + `…"`,
	} {
		if got := Quote(text); got != want {
			t.Errorf("%.80q is quoted as %s, want %s", text, got, want)
		}
	}
}

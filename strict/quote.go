package strict

import (
	"strconv"
	"unicode/utf8"
)

// maxQuoted is how much of it is shown: enough to know it again.
const maxQuoted = 64

// Quote returns text that a client has sent as an error or a log line may show
// it: in quotes, with everything escaped that is not printed, and cut to 64 bytes. An
// answer must not grow with what was sent: a peer that does not read would have
// the hub hold it.
func Quote(text string) string { return strconv.Quote(Cut(text, maxQuoted)) }

// Cut returns the text, or where it is longer than most bytes its beginning and
// "…". Characters stay whole.
func Cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}

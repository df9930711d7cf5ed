package streams

import (
	"fmt"
	"strings"
	"testing"

	"runnel/worktest"
)

// TestWork is on all that reads text, as if there was no bound to its size.
func TestWork(t *testing.T) {
	id := func(s string) { ParseID(s) }
	message := func(s string) { parseMessage(s) }
	for name, c := range map[string]struct {
		before, piece string
		read          func(string)
	}{
		"no dash":      {"", "1", id},
		"dashes":       {"", "1-", id},
		"long number":  {"1-", "1", id},
		"bad number":   {"1-", "-", id},
		"no line end":  {"", "1 ", message},
		"a field":      {"1 1-1 1-0 ", "a", message},
		"many fields":  {"1 1-1 1-0 text", " 0", message},
		"a length":     {"1 1-1 1-0 text 0 0 0 ", "1", message},
		"no such text": {"1 ", "\xff", message},
	} {
		t.Run(name, func(t *testing.T) {
			worktest.Linear(t, func(n int) string { return c.before + strings.Repeat(c.piece, n/len(c.piece)) }, c.read)
		})
	}
	t.Run("an event", func(t *testing.T) {
		worktest.Linear(t, func(n int) string {
			return fmt.Sprintf("1 1-1 1-0 text 0 0 0 %d\n%s", n, strings.Repeat("\n", n))
		}, message)
	})
}

// TestWorkOnLongNames: nobody goes through what is longer than it may be.
func TestWorkOnLongNames(t *testing.T) {
	for name, read := range map[string]func(string){
		"cursor":  func(s string) { ParseCursor(s) },
		"channel": func(s string) { ValidChannel(s) },
	} {
		t.Run(name, func(t *testing.T) {
			worktest.Refused(t, func(n int) string { return strings.Repeat("AQEB", n/4) }, read)
		})
	}
}

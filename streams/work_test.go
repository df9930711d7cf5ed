package streams

import (
	"strings"
	"testing"

	"runnel/worktest"
)

// TestWork is on all that reads text, as if there was no bound to its size.
func TestWork(t *testing.T) {
	for name, read := range map[string]func(string){
		"ID":      func(s string) { ParseID(s + "-" + s); ParseID("1-" + s) },
		"cursor":  func(s string) { ParseCursor(s) },
		"channel": func(s string) { ValidChannel(s) },
		"message": func(s string) { parseMessage(s); parseMessage("1 1-1 1-0 text " + s) },
	} {
		for _, piece := range []string{"1", "0", "-", "a", " ", "AQEB", "\n"} {
			t.Run(name+" "+piece, func(t *testing.T) {
				worktest.Linear(t, func(n int) string { return strings.Repeat(piece, n/len(piece)) }, read)
			})
		}
	}
}

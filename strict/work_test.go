package strict

import (
	"strings"
	"testing"

	"runnel/worktest"
)

// TestWork: a string of pairs of backslashes, 290 bytes when deflated, took
// half a second, for the next quote was looked for at each of them.
func TestWork(t *testing.T) {
	for name, input := range map[string]func(n int) string{
		"backslashes":      func(n int) string { return `{"x":"` + strings.Repeat(`\\`, n/2) + `"}` },
		"quotes":           func(n int) string { return `{"x":"` + strings.Repeat(`\"`, n/2) + `"}` },
		"open backslashes": func(n int) string { return `["` + strings.Repeat(`\\`, n/2) },
		"open quotes":      func(n int) string { return `["` + strings.Repeat(`\"`, n/2) },
		"strings":          func(n int) string { return "[" + strings.Repeat(`"",`, n/3) + "1]" },
		"lists":            func(n int) string { return strings.Repeat("[", n/2) + strings.Repeat("]", n/2) },
		"open lists":       func(n int) string { return strings.Repeat("[", n) },
		"list of lists":    func(n int) string { return "[" + strings.Repeat("[],", n/3) + "1]" },
		"a number":         func(n int) string { return "[" + strings.Repeat("1", n) + "]" },
		"names":            func(n int) string { return "{" + strings.Repeat(`"\\":1,`, n/7) + `"":1}` },
		"spaces":           func(n int) string { return "[1," + strings.Repeat(" ", n) + "1]" },
	} {
		t.Run(name, func(t *testing.T) {
			worktest.Linear(t, func(n int) []byte { return []byte(input(n)) }, takeApart)
		})
	}
}

func takeApart(data []byte) {
	for value := range Elements(data) {
		String(value)
	}
	for range Members(data) {
	}
	Nesting(data)
}

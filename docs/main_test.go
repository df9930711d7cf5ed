// Package docs keeps the documents true: its tests replay the transcripts of
// protocol.md, run the commands of the README, and compare operations.md with
// the program.
package docs

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"runnel/hubtest"
)

// web makes requests that are not part of a transcript.
var web = &http.Client{Timeout: patience}

// patience is how long a test waits for what has to happen.
const patience = hubtest.Patience

func TestMain(m *testing.M) { os.Exit(hubtest.Main(m, web.CloseIdleConnections)) }

// document reads a file of the repository.
func document(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fence is a fenced block of a document.
type fence struct {
	info  string // what follows the opening ```
	line  int    // of the first line inside
	lines []string
	notes []string // HTML comments since the fence before, of one line each
}

// fences returns the fenced blocks of a Markdown text.
func fences(text string) (all []fence) {
	var open *fence
	var notes []string
	for i, line := range strings.Split(text, "\n") {
		info, isFence := strings.CutPrefix(line, "```")
		note, isNote := strings.CutPrefix(line, "<!-- ")
		switch {
		case isFence && open != nil:
			all, open = append(all, *open), nil
		case isFence:
			open, notes = &fence{info: info, line: i + 2, notes: notes}, nil
		case open != nil:
			open.lines = append(open.lines, line)
		case isNote && strings.HasSuffix(note, " -->"):
			notes = append(notes, strings.TrimSuffix(note, " -->"))
		}
	}
	return all
}

// within polls until the condition holds.
func within(t testing.TB, what string, holds func() bool) {
	t.Helper()
	hubtest.Within(t, what, holds)
}

func writeFile(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

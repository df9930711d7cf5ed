// Package docs keeps the documents true: its tests replay the transcripts of
// protocol.md, run the commands of the README, and compare operations.md with
// the program.
package docs

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// program is the built hub that all tests start.
var program string

// web makes requests that are not part of a transcript.
var web = &http.Client{Timeout: patience}

// patience is how long something may take that has to happen: far longer than
// it takes, for only a failing test waits so long.
const patience = 30 * time.Second

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "runnel-docs-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "runnel")
	build := exec.Command("go", "build", "-o", program, "runnel")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "the program does not build:", err)
		return 1
	}
	code := m.Run()
	web.CloseIdleConnections()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

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
	poll(t, patience, what, holds)
}

func poll(t testing.TB, long time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(long); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", long, what)
		}
	}
}

func writeFile(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

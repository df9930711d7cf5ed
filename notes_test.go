package main

import (
	"log/slog"
	"strings"
	"testing"
)

// TestNotesOfAForeignServer: what a server says stays on its line, and moves no
// cursor.
func TestNotesOfAForeignServer(t *testing.T) {
	var out strings.Builder
	log := slog.New(&notes{out: &out})
	log.Warn("lost", "cause", "it says \x1b[2J\nrunnel: all is well", "url", "http://h\u00fcb/\u202e")
	log.Warn("lost", "cause", "it says \"no\"")
	want := "runnel: lost (url \"http://h\u00fcb/\\u202e\"): \"it says \\x1b[2J\\nrunnel: all is well\"\n" + "runnel: lost: it says \"no\"\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

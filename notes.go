package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// notes is a log for people at a terminal: what happened, what about it in
// parentheses, and why.
type notes struct {
	out   io.Writer
	attrs []slog.Attr
}

// Enabled implements [slog.Handler].
func (n *notes) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle implements [slog.Handler]: one write for each line.
func (n *notes) Handle(_ context.Context, r slog.Record) error {
	about, cause := []string{}, ""
	note := func(a slog.Attr) bool {
		switch text := shown(a.Value.String()); {
		case a.Key == "cause":
			cause = ": " + text
		case text != "":
			about = append(about, a.Key+" "+text)
		}
		return true
	}
	for _, a := range n.attrs {
		note(a)
	}
	r.Attrs(note)
	line := "runnel: " + r.Message
	if len(about) > 0 {
		line += " (" + strings.Join(about, ", ") + ")"
	}
	_, err := fmt.Fprintln(n.out, line+cause)
	return err
}

// shown is text as a terminal may get it: what it has from a server could move
// the cursor or rewrite what stands there.
func shown(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// WithAttrs implements [slog.Handler].
func (n *notes) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &notes{n.out, append(slices.Clip(n.attrs), attrs...)}
}

// WithGroup implements [slog.Handler]; the client has no groups.
func (n *notes) WithGroup(string) slog.Handler { return n }

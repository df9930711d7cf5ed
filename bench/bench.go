//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options are the flags of all scenarios.
type options struct {
	Rounds     int           `placeholder:"N" help:"How often each target is measured, one after the other in turn (5; 1 with --short)."`
	Short      bool          `help:"Small and quick: whether it runs and about where it stands."`
	Warm       time.Duration `default:"1s" placeholder:"TIME" help:"How long a hub and a load run before they are measured (${default})."`
	Target     []string      `placeholder:"NAME" help:"Only these: runnel, ceiling, syscall, nchan, other. Repeatable."`
	Transport  string        `enum:",sse,ws" default:"" placeholder:"sse|ws" help:"Only this transport."`
	Runnel     string        `placeholder:"FILE" help:"The hub's program (built from this module)."`
	RunnelFlag []string      `sep:"none" placeholder:"FLAG" help:"One more flag for the hub. Repeatable."`
	Dir        string        `placeholder:"DIR" help:"Where temporary files go, databases too; bolt measures its disk (the system's place for them)."`
	Markdown   string        `placeholder:"FILE" help:"Write the tables there too."`
	JSON       string        `name:"json" placeholder:"FILE" help:"Write all figures there."`

	other
}

// bench is one invocation: its options, its temporary files and its results.
type bench struct {
	options
	ctx    context.Context
	dir    string // temporary
	self   string // this program
	stdout io.Writer
	stderr io.Writer
	report report
}

// scenario is one kind of load.
type scenario interface {
	// name is the subcommand's; title says what is done, with its parameters.
	name() string
	title() string

	// shorten makes it small.
	shorten()

	variants(b *bench) []variant

	// measure runs the scenario once, against a fresh hub.
	measure(b *bench, v variant) (*outcome, error)
}

// outcome is what one run brought.
type outcome struct {
	Metrics []metric `json:"metrics"`
	Checked tally    `json:"checked"`
}

// metric is one figure. Those with Ratio are also given against the ceiling
// of the same round.
type metric struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Ratio bool    `json:"-"`
}

// run measures the variants in turn, round by round, each round beginning
// with another, so that no target always runs behind the same one. What fails
// is told, and told again at the end; the rest goes on.
func (b *bench) run(s scenario) error {
	rounds := b.Rounds
	if b.Short {
		s.shorten()
		rounds = or(rounds, 1)
	}
	rounds = or(rounds, 5)
	variants := s.variants(b)
	if len(variants) == 0 {
		b.progress("%s: no target of those asked for", s.name())
		return nil
	}
	section := b.report.begin(s, variants)
	var failures []error
	for round := range rounds {
		for i := range variants {
			at := (i + round) % len(variants)
			err := b.once(s, section, at, fmt.Sprintf("%s %d/%d %s", s.name(), round+1, rounds, variants[at]))
			if b.ctx.Err() != nil {
				return b.ctx.Err()
			}
			failures = append(failures, err)
		}
	}
	section.write(b.stdout)
	return errors.Join(failures...)
}

func (b *bench) once(s scenario, section *section, at int, what string) error {
	begin := time.Now()
	o, err := s.measure(b, section.Rows[at].Variant)
	if err != nil {
		err = fmt.Errorf("%s: %w", what, err)
		b.progress("%v", err)
		section.Rows[at].Failed++
		return err
	}
	// A ratio to nothing is no figure, and no JSON.
	o.Metrics = slices.DeleteFunc(o.Metrics, func(m metric) bool { return math.IsNaN(m.Value) || math.IsInf(m.Value, 0) })
	section.Rows[at].Rounds = append(section.Rows[at].Rounds, o)
	b.progress("%s: %s (%.0f s)", what, o, time.Since(begin).Seconds())
	return nil
}

// String is the outcome on one line.
func (o *outcome) String() string {
	var parts []string
	for _, m := range o.Metrics {
		parts = append(parts, figure(m.Value)+" "+m.Name)
	}
	return strings.Join(append(parts, o.Checked.String()), ", ")
}

// progress tells whoever waits.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.stderr, format+"\n", args...)
}

// fresh makes an empty directory for a server's files; what an earlier run
// left there is removed.
func (b *bench) fresh(name string) string {
	dir := filepath.Join(b.dir, name)
	os.RemoveAll(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.progress("%v", err)
	}
	return dir
}

func or(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

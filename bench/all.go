//go:build linux

package main

import (
	"errors"
	"strings"

	"github.com/alecthomas/kong"
)

// whole is what bench/RESULTS.md is made of, as command lines: short runs, and
// many of them, tell more about a noisy machine than few long ones.
var whole = []string{
	"idle",
	"idle --deflate",
	"fanout --time=4s",
	"latency --time=8s",
	"max --time=3s",
	"max --time=3s --publishers=8 --outstanding=64",
	"max --time=3s --publishers=8 --outstanding=64 --subscribers=5000",
	"channels --time=3s",
	"channels --time=3s --publishers=64 --store=redis",
	"batches --time=3s",
	"pipes",
	"pipes --connections=8",
	"pipes --by=ndjson",
	"bolt --time=3s",
	"bolt --time=3s --publishers=64",
	"resume",
	"resume --store=redis",
	"resume --store=redis --channels=2000",
	"deflate --time=4s",
	// These take minutes each: one round.
	"slow --rounds=1",
	"keepalive --rounds=1",
}

type allCommand struct{}

// Run runs the whole.
func (*allCommand) Run(b *bench) error {
	var failures []error
	for _, line := range whole {
		failures = append(failures, b.command(line))
		if b.ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failures...)
}

// command runs one line with the options there are.
func (b *bench) command(line string) error {
	var c cli
	parser, err := kong.New(&c)
	if err != nil {
		return err
	}
	command, err := parser.Parse(strings.Fields(line))
	if err != nil {
		return err
	}
	each := *b
	if c.Rounds > 0 && (b.Rounds == 0 || b.Rounds > c.Rounds) {
		each.Rounds = c.Rounds
	}
	err = command.Run(&each)
	b.report = each.report
	return err
}

type briefCommand struct{ allCommand }

// Run runs the whole, small.
func (c *briefCommand) Run(b *bench) error {
	b.Short = true
	return c.allCommand.Run(b)
}

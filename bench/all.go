//go:build linux

package main

import (
	"errors"
	"strings"

	"github.com/alecthomas/kong"
)

// whole is what bench/RESULTS.md is made of, as command lines.
var whole = []string{
	"idle",
	"idle --deflate",
	"fanout",
	"latency",
	"max",
	"max --publishers=8 --outstanding=64",
	"max --publishers=8 --outstanding=64 --subscribers=5000",
	"channels",
	"channels --publishers=64 --store=redis",
	"batches",
	"bolt",
	"bolt --publishers=64",
	"resume",
	"resume --store=redis",
	"resume --store=redis --channels=2000",
	"slow",
	"keepalive",
	"deflate",
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
	return command.Run(b)
}

type briefCommand struct{ allCommand }

// Run runs the whole, small.
func (c *briefCommand) Run(b *bench) error {
	b.Short = true
	return c.allCommand.Run(b)
}

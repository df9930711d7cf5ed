//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

func main() {
	// Servers are told to end when the thread that started them does.
	runtime.LockOSThread()
	debug.SetGCPercent(400) // the client leaves little garbage; collecting it takes from the hub's cores
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// cli is the command line.
type cli struct {
	options

	Idle      idle      `cmd:"" help:"Memory per idle connection, and CPU per connect."`
	Fanout    fanout    `cmd:"" help:"One channel to many at a rate: deliveries per server-CPU-second, latency."`
	Latency   latency   `cmd:"" help:"One subscriber: latency."`
	Max       maximum   `cmd:"" help:"One channel to many as fast as it goes."`
	Channels  channels  `kong:"cmd,set='channels=5000',set='publishers=8',set='batch=1',set='stores=memory,redis',help='Many channels with a subscriber each: publishes/s.'"`
	Batches   batches   `kong:"cmd,set='channels=5000',set='publishers=4',set='batch=100',set='stores=memory,redis',help='The same in batches.'"`
	Bolt      bolt      `kong:"cmd,set='channels=1000',set='publishers=8',set='batch=1',set='stores=bolt',help='The same onto disk before the answer.'"`
	Pipes     pipes     `cmd:"" help:"Many channels with a subscriber each, published to over few connections without waiting for each answer."`
	Resume    resume    `cmd:"" help:"Many clients come back at once."`
	Slow      slow      `cmd:"" help:"Some subscribers stop reading for a while."`
	Keepalive keepalive `cmd:"" help:"CPU while idle connections are kept alive."`
	Deflate   deflate   `cmd:"" help:"WebSockets with permessage-deflate."`

	All     allCommand     `cmd:"" help:"All of bench/RESULTS.md, one after the other (about an hour)."`
	Brief   briefCommand   `cmd:"" name:"short" help:"All with --short (some eight minutes)."`
	Ceiling ceilingCommand `cmd:"" hidden:""`
}

func (s *idle) Run(b *bench) error      { return b.run(s) }
func (s *fanout) Run(b *bench) error    { return b.run(s) }
func (s *latency) Run(b *bench) error   { return b.run(s) }
func (s *maximum) Run(b *bench) error   { return b.run(s) }
func (s *channels) Run(b *bench) error  { return b.run(s) }
func (s *batches) Run(b *bench) error   { return b.run(s) }
func (s *bolt) Run(b *bench) error      { return b.run(s) }
func (s *pipes) Run(b *bench) error     { return b.run(s) }
func (s *resume) Run(b *bench) error    { return b.run(s) }
func (s *slow) Run(b *bench) error      { return b.run(s) }
func (s *keepalive) Run(b *bench) error { return b.run(s) }
func (s *deflate) Run(b *bench) error   { return b.run(s) }

// execute runs one command line.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var c cli
	parser, err := kong.New(&c, kong.Name("bench"), kong.Writers(stdout, stderr), kong.UsageOnError(), kong.Description(description))
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if err != nil {
		return err
	}
	b := &bench{options: c.options, ctx: ctx, stdout: stdout, stderr: stderr}
	if command.Command() == "ceiling" {
		return command.Run(b) // killed when it is done: it leaves nothing behind
	}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(c.Dir, "runnel-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	b.report = report{Command: "go run ./bench " + strings.Join(withoutSecrets(args), " "), Commit: commit(), Machine: machine(), Time: time.Now()}
	err = command.Run(b)
	if saved := b.save(); err == nil {
		err = saved
	}
	return err
}

// withoutSecrets are the arguments, as they may be printed: headers carry
// tokens.
func withoutSecrets(args []string) []string {
	shown := slices.Clone(args)
	for i, arg := range shown {
		if strings.HasPrefix(arg, "--header=") {
			shown[i] = "--header=…"
		} else if i > 0 && args[i-1] == "--header" {
			shown[i] = "…"
		}
	}
	return shown
}

const description = `Measure what a hub costs per delivery, connection and publish.

Hubs are started fresh for each run and measured in turn: runnel, a ceiling
(one write per event and socket and nothing else; syscall: with the bare system
call), nginx with nchan where it is installed (Debian: libnginx-mod-nchan), and
any other that --publish-url and its kin describe. The tables go to standard
output, progress to standard error.`

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// commands are what the program can do; each has a Run method.
type commands struct {
	Serve     Config           `cmd:"" default:"withargs" help:"Run the hub."`
	Publish   publishCommand   `cmd:"" help:"Publish an event, or each line of standard input."`
	Subscribe subscribeCommand `cmd:"" help:"Print events as they come."`
	Token     tokenCommand     `cmd:"" help:"Make a JWT for trying things out."`
	Show      versionCommand   `cmd:"" name:"version" help:"Print version and build."`
	Help      helpCommand      `cmd:"" help:"Show the help of a command."`

	Version kong.VersionFlag `short:"v" help:"Print version and build."`
}

// versionCommand is --version for those who look for a command.
type versionCommand struct{}

// Run prints version and build.
func (versionCommand) Run(s *surroundings) error {
	_, err := fmt.Fprintln(s.stdout, build())
	return err
}

// helpCommand is --help for those who look for a command.
type helpCommand struct {
	Command string `arg:"" optional:"" help:"Of which command."`
}

// Run prints the help.
func (h helpCommand) Run(s *surroundings) error {
	args := []string{"--help"}
	if h.Command != "" {
		args = []string{h.Command, "--help"}
	}
	_, err := parse(args, nil, s.stdout)
	return err
}

// surroundings are what a command works with besides its flags.
type surroundings struct {
	ctx            context.Context
	stdin          io.Reader
	stdout, stderr io.Writer
}

// usageError is a mistake in flags, environment or configuration file: exit
// code 2. Any other failure is 1.
type usageError struct{ cause error }

func (e *usageError) Error() string { return e.cause.Error() }
func (e *usageError) Unwrap() error { return e.cause }

func usage(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// exitCode says on stderr what went wrong, and returns the process's exit code.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "runnel:", err)
	if _, ok := errors.AsType[*usageError](err); ok {
		fmt.Fprintln(stderr, "runnel --help lists commands, runnel <command> --help their flags")
		return 2
	}
	return 1
}

// run is the program: it parses args with the environment, and returns when the
// command has ended or ctx has.
func run(ctx context.Context, args []string, env variables, stdin io.Reader, stdout, stderr io.Writer) error {
	parsed, err := parse(args, env, stdout)
	if err != nil || parsed == nil {
		return err
	}
	env.warn(allFlags(parsed.Model.Node), stderr)
	return parsed.Run(&surroundings{ctx, stdin, stdout, stderr})
}

// parse returns the command to run, nil where --help or --version was all.
func parse(args []string, env variables, stdout io.Writer) (*kong.Context, error) {
	var c commands
	done := false
	parser, err := kong.New(&c,
		kong.Name("runnel"),
		kong.Description(about),
		kong.Vars{"version": build()},
		kong.Writers(stdout, io.Discard),
		kong.Exit(func(int) { done = true }),
		kong.Help(help),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 96, NoAppDescFormat: true}),
		groups,
		kong.ValueFormatter(func(v *kong.Value) string { return v.Help }),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(decodeDuration)),
		kong.KindMapper(reflect.Int, kong.MapperFunc(decodeInt)),
		kong.Resolvers(environment{env}),
		kong.WithBeforeResolve(func(k *kong.Context) error { return c.Serve.readFile(k, env) }),
	)
	if err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(joinNegatives(args, parser.Model.Node))
	switch {
	case done:
		return nil, nil
	case err != nil:
		return nil, &usageError{explain(err, parser, args)}
	}
	c.Serve.reload = func() (*Config, error) { return parseConfig(args, env) }
	return parsed, nil
}

// explain says what kong cannot know: a first word that is no command was
// meant to be one, not an argument of the default command.
func explain(err error, parser *kong.Kong, args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return err
	}
	var names []string
	for _, command := range parser.Model.Children {
		names = append(names, command.Name)
	}
	if slices.Contains(names, args[0]) {
		return explainNegative(err, args)
	}
	return fmt.Errorf("%q is no command%s", args[0], suggestion(args[0], names))
}

// explainNegative: an argument that begins with "-" looks like a flag.
func explainNegative(err error, args []string) error {
	for i, arg := range args {
		if negative(arg) && !slices.Contains(args[:i], "--") && strings.Contains(err.Error(), "unknown flag "+arg[:2]) {
			return fmt.Errorf("%s looks like a flag; write -- before it: %s … -- %s", arg, args[0], arg)
		}
	}
	return err
}

// allFlags are the names of the flags of all commands.
func allFlags(n *kong.Node) (names []string) {
	for _, f := range n.Flags {
		names = append(names, f.Name)
	}
	for _, child := range n.Children {
		names = append(names, allFlags(child)...)
	}
	return names
}

// joinNegatives writes --flag -1 as --flag=-1: kong takes -1 for a flag of its
// own, where the sentence about that value is the better answer.
func joinNegatives(args []string, n *kong.Node) []string {
	var joined []string
	for i, arg := range args {
		if negative(arg) && i > 0 && takesValue(args[i-1], n) {
			joined[len(joined)-1] += "=" + arg
		} else {
			joined = append(joined, arg)
		}
	}
	return joined
}

func negative(arg string) bool {
	return len(arg) > 1 && arg[0] == '-' && '0' <= arg[1] && arg[1] <= '9'
}

func takesValue(arg string, n *kong.Node) bool {
	for _, f := range n.Flags {
		if arg == "--"+f.Name {
			return !f.IsBool()
		}
	}
	return slices.ContainsFunc(n.Children, func(child *kong.Node) bool { return takesValue(arg, child) })
}

// build is what --version prints.
func build() string { return "runnel " + version() + " (" + runtime.Version() + ")" }

// version is the module's version, else the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && info.Main.Version == "(devel)" {
			return s.Value
		}
	}
	return info.Main.Version
}

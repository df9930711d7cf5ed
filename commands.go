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

	Version kong.VersionFlag `help:"Print version and build."`
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

// run is the program: it parses args, reads the environment through getenv,
// and returns when the command has ended or ctx has.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) error {
	parsed, err := parse(args, getenv, stdout)
	if err != nil || parsed == nil {
		return err
	}
	return parsed.Run(&surroundings{ctx, stdin, stdout, stderr})
}

// parse returns the command to run, nil where --help or --version was all.
func parse(args []string, getenv func(string) string, stdout io.Writer) (*kong.Context, error) {
	var c commands
	done := false
	parser, err := kong.New(&c,
		kong.Name("runnel"),
		kong.Description(about),
		kong.Vars{"version": "runnel " + version() + " (" + runtime.Version() + ")"},
		kong.Writers(stdout, io.Discard),
		kong.Exit(func(int) { done = true }),
		kong.Help(help),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 96, NoAppDescFormat: true}),
		groups,
		kong.ValueFormatter(func(v *kong.Value) string { return v.Help }),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(decodeDuration)),
		kong.KindMapper(reflect.Int, kong.MapperFunc(decodeInt)),
		kong.Resolvers(environment{getenv}),
		kong.WithBeforeResolve(func(k *kong.Context) error { return c.Serve.readFile(k, getenv) }),
	)
	if err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(args)
	switch {
	case done:
		return nil, nil
	case err != nil:
		return nil, &usageError{explain(err, parser, args)}
	}
	c.Serve.reload = func() (*Config, error) { return parseConfig(args, getenv) }
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
		return err
	}
	return fmt.Errorf("%q is no command%s", args[0], suggestion(args[0], names))
}

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

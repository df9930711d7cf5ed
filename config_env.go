package main

import (
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"runnel/spelling"
)

// variables is an environment, as os.Environ has it.
type variables []string

func (v variables) get(name string) string {
	for _, pair := range v {
		if key, value, _ := strings.Cut(pair, "="); key == name {
			return value
		}
	}
	return ""
}

const envPrefix = "RUNNEL_"

func variable(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// ofKubernetes are variables that it sets in every container beside a service
// called runnel.
var ofKubernetes = regexp.MustCompile(`^RUNNEL_(.+_)?(SERVICE_(HOST|PORT.*)|PORT_[0-9]+_(TCP|UDP|SCTP).*)$|^RUNNEL_(.+_)?PORT=[a-z]+://`)

// strange names the variables that look like settings and are none, each with
// the one that was probably meant, "" for none.
func (v variables) strange(known spelling.Names) map[string]string {
	found := map[string]string{}
	for _, pair := range v {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, envPrefix) && !known.Has(name) && !ofKubernetes.MatchString(name) && !ofKubernetes.MatchString(pair) {
			found[name] = known.Nearest(name, max(2, (len(name)-len(envPrefix))/3))
		}
	}
	return found
}

// warn tells of settings in the environment that do not exist: who set one
// believes that it counts.
func (v variables) warn(flags []string, stderr io.Writer) {
	var names []string
	for _, flag := range flags {
		names = append(names, variable(flag))
	}
	strange := v.strange(spelling.Of(names...))
	for _, name := range slices.Sorted(maps.Keys(strange)) {
		hint := "runnel serve --help lists them"
		if near := strange[name]; near != "" {
			hint = "perhaps " + near
		}
		fmt.Fprintf(stderr, "runnel: %s in the environment is no setting; %s\n", name, hint)
	}
}

// environment gives flags the values of variables. An empty variable counts as
// none: platforms set those that nobody filled in.
type environment struct{ variables }

// Validate is part of kong.Resolver.
func (environment) Validate(*kong.Application) error { return nil }

// Resolve is part of kong.Resolver.
func (e environment) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if flag.Name == "help" || flag.Name == "version" {
		return nil, nil
	}
	name := variable(flag.Name)
	if value := e.get(name); value != "" {
		return value, try(flag, value, name)
	}
	return e.platform(flag.Name)
}

// platform reads what Heroku-like platforms set for any program.
func (e environment) platform(flag string) (any, error) {
	switch port, redis := e.get("PORT"), e.get("REDIS_URL"); {
	case flag == "listen" && port != "":
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
			return nil, fmt.Errorf("PORT: %q is no port; a number up to 65535 is", port)
		}
		return ":" + port, nil
	case flag == "store" && redis != "":
		return redis, nil
	}
	return nil, nil
}

// try decodes the value for nothing but the error, which names where it is from.
func try(flag *kong.Flag, value any, source string) error {
	target := reflect.New(flag.Target.Type()).Elem()
	scan := kong.Scan().PushTyped(value, kong.FlagValueToken)
	if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, target); err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	return nil
}

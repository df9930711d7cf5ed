package main

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// environment gives flags the values of variables. An empty variable counts as
// none: platforms set those that nobody filled in.
type environment struct{ getenv func(string) string }

// Validate is part of kong.Resolver.
func (environment) Validate(*kong.Application) error { return nil }

// Resolve is part of kong.Resolver.
func (e environment) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if flag.Name == "help" || flag.Name == "version" {
		return nil, nil
	}
	name := "RUNNEL_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
	if value := e.getenv(name); value != "" {
		return value, try(flag, value, name)
	}
	return e.platform(flag.Name)
}

// platform reads what Heroku-like platforms set for any program.
func (e environment) platform(flag string) (any, error) {
	switch port, redis := e.getenv("PORT"), e.getenv("REDIS_URL"); {
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

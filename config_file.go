package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"runnel/spelling"
)

// file is a configuration file: a mapping of settings, by name.
type file struct {
	name     string
	settings map[string]*yaml.Node
}

// readFile reads the file that --config or RUNNEL_CONFIG names, if any, so
// that it answers for flags that neither set.
func (c *Config) readFile(k *kong.Context, env variables) error {
	name := env.get("RUNNEL_CONFIG")
	var flags []string
	for _, f := range k.Flags() {
		if f.Name == "config" {
			if v, ok := k.FlagValue(f).(string); ok && v != "" {
				name = v
			}
		}
		flags = append(flags, f.Name)
	}
	if name == "" || !slices.Contains(flags, "config") {
		return nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	f, err := parseFile(name, text, flags)
	if err != nil {
		return err
	}
	if c.Channels, err = f.channels(); err != nil {
		return err
	}
	// Kong takes the last resolver's word, and context ones come last.
	k.AddResolver(under{f, environment{env}})
	return nil
}

// parseFile reads YAML and refuses settings that no flag has.
func parseFile(name string, text []byte, flags []string) (*file, error) {
	f := &file{name: name, settings: map[string]*yaml.Node{}}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return f, nil // empty, or comments only
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: only one YAML document is read; remove the line --- and what follows", name)
	}
	known := []string{"channels"}
	for _, flag := range flags {
		if flag != "help" && flag != "version" && flag != "config" {
			known = append(known, settingName(flag))
		}
	}
	var err error
	f.settings, err = f.members(doc.Content[0], known)
	return f, err
}

func settingName(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// members reads a mapping whose keys must be known ones, each once.
func (f *file) members(n *yaml.Node, known []string) (map[string]*yaml.Node, error) {
	if n.Kind != yaml.MappingNode {
		return nil, f.wrong(n, "not a list of settings; write one a line, such as %s: …", known[len(known)-1])
	}
	members := map[string]*yaml.Node{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		switch {
		case !slices.Contains(known, key.Value):
			return nil, f.wrong(key, "there is no setting %q%s", key.Value, suggestion(key.Value, known))
		case members[key.Value] != nil:
			return nil, f.wrong(key, "%s is set twice; its first time is line %d", key.Value, members[key.Value].Line)
		}
		members[key.Value] = value
	}
	return members, nil
}

func (f *file) wrong(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", f.name, n.Line, fmt.Sprintf(format, args...))
}

// suggestion names the setting that was probably meant, else all of them.
func suggestion(name string, known []string) string {
	if meant := spelling.Of(known...).Nearest(name, min(max(2, len(name)/3), 4)); meant != "" {
		return "; perhaps " + meant
	}
	return "; there are " + strings.Join(known, ", ")
}

// value returns a setting as kong takes it: a string, or a list of them.
func (f *file) value(flag *kong.Flag) (any, error) {
	n := f.settings[settingName(flag.Name)]
	if n == nil {
		return nil, nil
	}
	read := f.scalars
	if flag.Name == "api-key" {
		read = f.apiKeys
	}
	value, err := read(n, settingName(flag.Name))
	if err != nil {
		return nil, err
	}
	return value, try(flag, value, fmt.Sprintf("%s:%d", f.name, n.Line))
}

func (f *file) scalars(n *yaml.Node, name string) (any, error) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag != "!!null":
		return n.Value, nil
	case n.Kind == yaml.SequenceNode:
		var values []any
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
				return nil, f.wrong(item, "%s is a list of plain values", name)
			}
			values = append(values, item.Value)
		}
		return values, nil
	}
	return nil, f.wrong(n, "%s has no plain value; write %s: VALUE, or leave the line out", name, name)
}

// under answers from the file where the environment has no answer.
type under struct {
	file *file
	environment
}

// Resolve is part of kong.Resolver.
func (u under) Resolve(k *kong.Context, p *kong.Path, flag *kong.Flag) (any, error) {
	if value, err := u.environment.Resolve(k, p, flag); value != nil || err != nil {
		return value, err
	}
	return u.file.value(flag)
}

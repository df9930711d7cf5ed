package main

import (
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"runnel/auth"
)

// What a file has beside plain values: rules of channels, and API keys with rights.

// channels reads the history rules.
func (f *file) channels() ([]ChannelRule, error) {
	n := f.settings["channels"]
	if n == nil {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, f.wrong(n, `channels is a list of rules; write each as - {pattern: "chat:**", history: 100, history_age: 1h}`)
	}
	var rules []ChannelRule
	for _, item := range n.Content {
		rule, err := f.rule(item)
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

func (f *file) rule(n *yaml.Node) (rule ChannelRule, err error) {
	m, err := f.members(n, []string{"history", "history_age", "pattern"})
	if err != nil {
		return rule, err
	}
	if m["pattern"] == nil {
		return rule, f.wrong(n, `a channel rule needs a pattern, such as pattern: "chat:**"`)
	}
	if rule.Pattern, err = auth.ParsePattern(m["pattern"].Value); err != nil {
		return rule, f.wrong(m["pattern"], "%v", err)
	}
	if v := m["history"]; v != nil {
		if rule.History, err = strconv.Atoi(v.Value); err != nil || rule.History < 1 {
			return rule, f.wrong(v, "history: %q is no number of events; 1 is the least", v.Value)
		}
	}
	if v := m["history_age"]; v != nil {
		if rule.HistoryAge, err = parseDuration(v.Value); err == nil {
			err = lasting("history_age", rule.HistoryAge, time.Second, 0)
		}
		if err != nil {
			return rule, f.wrong(v, "%v", err)
		}
	}
	return rule, nil
}

// apiKeys reads a key, or a list of keys, of which each is NAME:KEY or a mapping.
func (f *file) apiKeys(n *yaml.Node, name string) (any, error) {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	var keys []any
	for _, item := range items {
		if item.Kind != yaml.MappingNode {
			text, err := f.scalars(item, name)
			if err != nil {
				return nil, err
			}
			keys = append(keys, text)
			continue
		}
		key, err := f.apiKey(item)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (f *file) apiKey(n *yaml.Node) (key auth.APIKey, err error) {
	m, err := f.members(n, []string{"name", "key", "rights"})
	if err != nil {
		return key, err
	}
	if m["key"] == nil {
		return key, f.wrong(n, "an API key needs its key, such as {name: reports, key: …}")
	}
	key.Key = m["key"].Value
	if m["name"] != nil {
		key.Name = m["name"].Value
	}
	if m["rights"] != nil {
		key.Rights, err = f.rights(m["rights"])
	}
	return key, err
}

func (f *file) rights(n *yaml.Node) (*auth.Rights, error) {
	m, err := f.members(n, []string{"subscribe", "publish"})
	if err != nil {
		return nil, err
	}
	var rights auth.Rights
	for name, patterns := range map[string]*auth.Patterns{"subscribe": &rights.Subscribe, "publish": &rights.Publish} {
		if m[name] == nil {
			continue
		}
		if *patterns, err = f.patterns(m[name], name); err != nil {
			return nil, err
		}
	}
	return &rights, nil
}

func (f *file) patterns(n *yaml.Node, name string) (auth.Patterns, error) {
	if n.Kind != yaml.SequenceNode {
		return nil, f.wrong(n, `%s is a list of patterns, such as ["orders:**"]`, name)
	}
	var patterns auth.Patterns
	for _, item := range n.Content {
		pattern, err := auth.ParsePattern(item.Value)
		if err != nil {
			return nil, f.wrong(item, "%v", err)
		}
		patterns = append(patterns, pattern)
	}
	return patterns, nil
}

package docs

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
)

// kinds are what may stand for bytes that differ from run to run. With a
// number, as in <id-1>, a placeholder is the same text wherever it stands
// until the next hub.
var kinds = map[string]string{
	"id":         `[0-9]+-[0-9]+`,
	"time":       `[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z`,
	"date":       `[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT`,
	"retry":      `[0-9]{4,5}`,
	"length":     `[0-9]+`,
	"request":    `[0-9a-z]{9,20}`,
	"connection": `[A-Za-z0-9_-]{20}`,
	"node":       `[A-Za-z0-9-]+`,
	"cursor":     `[A-Za-z0-9_-]+`,
	"ticket":     `[A-Za-z0-9_-]{100,}`,
	"version":    `[^" ]+`,
	"number":     `[0-9]+`,
	"rate":       `[0-9]+(?:\.[0-9])?`,
	"cause":      `[^"]+`,
}

var placeholder = regexp.MustCompile(`<([a-z]+)(-[a-z0-9-]+)?>`)

// values are what placeholders stand for.
type values map[string]string

// fill puts in what is known; what is not is an error of the document.
func (v values) fill(t testing.TB, text string) string {
	t.Helper()
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		value, known := v[p]
		if !known {
			t.Fatalf("nothing has said yet what %s is: %s", p, text)
		}
		return value
	})
}

// match compares a line of the hub's with one of the document, and remembers
// what the numbered placeholders stand for.
func (v values) match(want, got string) error {
	pattern, names, err := v.pattern(want)
	if err != nil {
		return err
	}
	m := pattern.FindStringSubmatch(got)
	if m == nil {
		return fmt.Errorf("the document has\n  %s\nand the hub\n  %s", want, got)
	}
	found := values{}
	for i, name := range names {
		if was, ok := found[name]; ok && was != m[i+1] {
			return fmt.Errorf("%s is %s and %s in\n  %s", name, was, m[i+1], got)
		}
		if strings.Contains(name, "-") {
			found[name] = m[i+1]
		}
	}
	maps.Copy(v, found)
	return nil
}

// pattern is a line as a regular expression, with a group for each placeholder
// that nothing is known of.
func (v values) pattern(line string) (*regexp.Regexp, []string, error) {
	var names []string
	var b strings.Builder
	at := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(line, -1) {
		name, kind := line[m[0]:m[1]], line[m[2]:m[3]]
		b.WriteString(regexp.QuoteMeta(line[at:m[0]]))
		at = m[1]
		if value, known := v[name]; known {
			b.WriteString(regexp.QuoteMeta(value))
			continue
		}
		expression, ok := kinds[kind]
		if !ok {
			return nil, nil, fmt.Errorf("no placeholder is called %s", name)
		}
		b.WriteString("(" + expression + ")")
		names = append(names, name)
	}
	b.WriteString(regexp.QuoteMeta(line[at:]))
	pattern, err := regexp.Compile("^" + b.String() + "$")
	return pattern, names, err
}

func TestPlaceholders(t *testing.T) {
	v := values{"<host>": "127.0.0.1:1"}
	for _, c := range []struct {
		want, got string
		good      bool
	}{
		{`{"id":"<id-1>"}`, `{"id":"12-3"}`, true},
		{`id: <id-1>`, `id: 12-4`, false},
		{`id: <id-1>`, `id: 12-3`, true},
		{`<id-2> <id-2>`, `1-1 1-2`, false},
		{`<id> <id>`, `1-1 1-2`, true},
		{`<id> <id>`, `1-1 x`, false},
		{`Host: <host>`, `Host: 127.0.0.1:1`, true},
		{`Host: <host>`, `Host: 127.0.0.1:11`, false},
		{`a.c`, `abc`, false},
		{`<unheard>`, `unheard`, false},
	} {
		if err := v.match(c.want, c.got); (err == nil) != c.good {
			t.Errorf("%s, %s: %v", c.want, c.got, err)
		}
	}
	if got := v.fill(t, "> <id-1>"); got != "> 12-3" {
		t.Error(got)
	}
}

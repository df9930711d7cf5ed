package web

import (
	"path"
	"regexp"
	"slices"
)

var (
	imports = regexp.MustCompile(`(?m)^import .* from '(.*)'\n`)
	exports = regexp.MustCompile(`(?m)^export `)
	// comment matches comments, at the end of a line too, and the space that
	// lines begin with: browsers load the client for nothing as it is read.
	comment = regexp.MustCompile(`(?m)^[ \t]*(?://.*\n|/\*\*.*\n|\*/.*\n|\*(?: .*)?\n|\n)?|[ \t]+// .*$`)
)

// join makes one module of the client's, without comments: each follows those
// it imports, so that a page waits for one answer instead of four in a row. It
// exports what the module at name does. They need no other treatment, as their
// names differ (which a test sees to) and none of them imports from elsewhere.
func join(read func(string) ([]byte, error), name string) ([]byte, error) {
	body, _, err := joinOnce(read, name, nil)
	return comment.ReplaceAll(body, nil), err
}

// joinOnce also returns the names it has been given and those it added.
func joinOnce(read func(string) ([]byte, error), name string, done []string) ([]byte, []string, error) {
	module, err := read(name)
	if err != nil {
		return nil, done, err
	}
	done = append(done, name)
	var before []byte
	for _, m := range imports.FindAllSubmatch(module, -1) {
		imported := path.Join(path.Dir(name), string(m[1]))
		if slices.Contains(done, imported) {
			continue
		}
		var part []byte
		if part, done, err = joinOnce(read, imported, done); err != nil {
			return nil, done, err
		}
		before = append(before, exports.ReplaceAll(part, nil)...)
	}
	return append(before, imports.ReplaceAll(module, nil)...), done, nil
}

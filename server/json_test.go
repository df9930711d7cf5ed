package server

import (
	"strings"
	"testing"
)

func TestCheckJSON(t *testing.T) {
	nested := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	for _, c := range []struct {
		data []byte
		want string
	}{
		{nested(maxNesting), ""},
		{nested(maxNesting + 1), "the data is nested deeper than 500 levels"},
		{[]byte(`[`), "the data is not JSON"},
		{[]byte("\"\xff\""), "the data is not UTF-8"},
	} {
		if got := sentence(checkJSON(c.data)); got != c.want {
			t.Errorf("%.20s: %q, not %q", c.data, got, c.want)
		}
	}
}

package server

import (
	"strings"
	"testing"
)

func TestConnectionIDs(t *testing.T) {
	seen := map[string]bool{}
	for _, user := range []string{"", "alice", "bob", strings.Repeat("é", 1000)} {
		id := newConnectionID(user)
		if seen[id] || len(id) != connectionIDSize {
			t.Errorf("ID %q", id)
		}
		seen[id] = true
		for _, other := range []string{"", "alice", "bob", strings.Repeat("é", 1000)} {
			if connectionBelongs(id, other) != (user == other) {
				t.Errorf("an ID of %q belongs to %q", user, other)
			}
		}
	}
	for _, bad := range []string{"", "x", strings.Repeat("A", 19), strings.Repeat("A", 21), strings.Repeat("*", 20), strings.Repeat("A", 20), "\n\n\n\n\n\n\n\n0000\n0000000"} {
		if connectionBelongs(bad, "alice") {
			t.Errorf("%q belongs to somebody", bad)
		}
	}
}

func FuzzConnectionID(f *testing.F) {
	f.Add("AAAAAAAAAAAAAAAAAAAA", "alice")
	f.Add(newConnectionID("bob"), "bob2")
	f.Add("\n\n\n\n\n\n\n\n0000\n0000000", "0") // base64 of nearly nothing
	f.Fuzz(func(t *testing.T, id, user string) {
		if connectionBelongs(id, user) {
			if _, ok := parseConnectionID(id); !ok {
				t.Fatalf("%q", id)
			}
		}
		if !connectionBelongs(newConnectionID(user), user) {
			t.Fatalf("not %q's own", user)
		}
	})
}

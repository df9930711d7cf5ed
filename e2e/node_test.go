package e2e

import (
	"encoding/json"
	"testing"

	"runnel/hubtest"
)

// patience is how long a test waits for what has to happen.
const patience = hubtest.Patience

// node is a running hub with the questions that tests ask it.
type node struct {
	*hubtest.Node
	t testing.TB
}

// startNode starts a hub of the test's own and returns when it is ready.
func startNode(t testing.TB, args ...string) *node {
	t.Helper()
	return &node{hubtest.Start(t, args...), t}
}

// startNodeEnv is startNode with something in the hub's environment.
func startNodeEnv(t testing.TB, env []string, args ...string) *node {
	t.Helper()
	n := launch(t, env, args...)
	n.AwaitReady()
	return n
}

// launch is startNodeEnv for a hub that need not get ready.
func launch(t testing.TB, env []string, args ...string) *node {
	t.Helper()
	return &node{hubtest.Launch(t, env, args...), t}
}

// within polls until the condition holds.
func within(t testing.TB, what string, holds func() bool) {
	t.Helper()
	hubtest.Within(t, what, holds)
}

// parse reads JSON that the hub wrote.
func parse[T any](t testing.TB, b []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v: %q", err, b)
	}
	return v
}

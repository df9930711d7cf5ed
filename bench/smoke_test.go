//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"runnel/hubtest"
)

// saved runs a command line and returns the results it saved and the tables.
func saved(t *testing.T, args ...string) (*report, string) {
	t.Helper()
	runtime.LockOSThread() // as main does: the servers die with the thread
	defer runtime.UnlockOSThread()
	file := filepath.Join(t.TempDir(), "results.json")
	var stdout, stderr bytes.Buffer
	if err := execute(t.Context(), append(args, "--json", file), &stdout, &stderr); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, &stderr)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r := new(report)
	if err := json.Unmarshal(text, r); err != nil {
		t.Fatal(err)
	}
	return r, stdout.String()
}

// TestScenarios runs what differs most, small, against the built hub and the
// ceiling: everything has to come, once and in order.
func TestScenarios(t *testing.T) {
	hub, err := hubtest.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		line       string
		rows       int
		deliveries int64 // at least, of each row
	}{
		{"fanout --subscribers 20 --rate 50 --time 200ms --store memory --target runnel --target ceiling", 4, 20 * 10},
		{"max --subscribers 10 --publishers 2 --outstanding 4 --time 100ms --transport ws --target runnel --target syscall", 2, 100},
		{"batches --channels 20 --batch 10 --time 100ms --store memory --transport sse --target runnel --target ceiling", 2, 100},
		{"pipes --channels 20 --window 16 --time 100ms --store memory", 1, 100},
		{"pipes --channels 20 --window 16 --connections 2 --by ndjson --time 100ms --store memory", 1, 100},
		{"resume --subscribers 20 --missed 10 --channels 2 --store bolt,redis --target runnel --target ceiling", 6, 20 * 10},
		{"slow --subscribers 10 --slow 3 --time 500ms --transport sse --target runnel", 1, 10 * 50},
		{"keepalive --subscribers 5 --time 1s --transport ws --target runnel", 1, 0},
	} {
		name, _, _ := strings.Cut(test.line, " ")
		t.Run(name, func(t *testing.T) {
			args := append(strings.Fields(test.line), "--rounds", "1", "--warm", "50ms", "--runnel", hub)
			r, table := saved(t, args...)
			rows := r.Sections[0].Rows
			if len(rows) != test.rows {
				t.Fatalf("%d variants, want %d", len(rows), test.rows)
			}
			for _, row := range rows {
				got := row.Rounds[0].Checked
				if got.faults() != 0 || got.Deliveries < test.deliveries {
					t.Errorf("%s: %+v, want at least %d deliveries and no fault", row.Variant, got, test.deliveries)
				}
				if !strings.Contains(table, "| "+row.Variant.String()+" |") {
					t.Errorf("no row for %s in\n%s", row.Variant, table)
				}
				for _, m := range row.Rounds[0].Metrics {
					if m.Value < 0 && m.Name != "MiB more than without" {
						t.Errorf("%s: %v %s", row.Variant, m.Value, m.Name)
					}
				}
			}
		})
	}
}

func TestWrongUse(t *testing.T) {
	var stdout, stderr bytes.Buffer
	for _, line := range []string{"fanuot", "fanout --transport=quic", "channels --publishers=9 --channels=8 --target=ceiling --rounds=1"} {
		if err := execute(t.Context(), strings.Fields(line), &stdout, &stderr); err == nil {
			t.Errorf("%s: no error", line)
		}
	}
}

// Every line of the whole is a command with flags that exist.
func TestWholeParses(t *testing.T) {
	b := &bench{options: options{Target: []string{"none"}}, ctx: t.Context(), stdout: new(bytes.Buffer), stderr: new(bytes.Buffer)}
	for _, line := range whole {
		if err := b.command(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// What a header carries is not printed.
func TestSecretsStayOut(t *testing.T) {
	args := []string{"fanout", "--header", "Authorization: Bearer x", "--header=Cookie: y", "--rounds", "1"}
	if got, want := strings.Join(withoutSecrets(args), " "), "fanout --header … --header=… --rounds 1"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

//go:build linux

package main

import (
	"strings"
	"testing"
)

func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.256: "0.26", 3: "3", 3.1416: "3.14", 47.25: "47.2", 160_400: "160k", 9_994: "9994", 1_234_567: "1.23M", 0.999: "1.00", -0.5: "-0.50",
	} {
		if got := figure(v); got != want {
			t.Errorf("%v is %s, want %s", v, got, want)
		}
	}
}

// Ratios are to the ceiling of the same round and transport; a row whose
// rounds do not stand beside the ceiling's has none.
func TestTable(t *testing.T) {
	round := func(v float64) *outcome { return &outcome{Metrics: []metric{{Name: "x", Value: v, Ratio: true}}} }
	s := &section{Name: "fanout", Title: "few", Rows: []*row{
		{Variant: variant{Target: "runnel", Transport: "sse", Store: "memory"}, Rounds: []*outcome{round(10), round(30), round(20)}},
		{Variant: variant{Target: "ceiling", Transport: "sse"}, Rounds: []*outcome{round(20), round(20), round(40)}},
		{Variant: variant{Target: "ceiling", Transport: "ws"}, Rounds: []*outcome{round(1), round(1), round(1)}},
		{Variant: variant{Target: "nchan", Transport: "sse"}, Rounds: []*outcome{round(5), round(7)}, Failed: 1},
	}}
	s.Rows[3].Rounds[0].Checked = tally{Deliveries: 9, Lost: 1}
	var b strings.Builder
	s.write(&b)
	for _, want := range []string{
		"### fanout: few\n\n| target | x | × | checked |\n|---|---:|---:|---|\n",
		"| runnel, SSE | 20 (10–30) | 0.50 | all 0 |\n",
		"| ceiling, WebSocket | 1 (1–1) | 1.00 | all 0 |\n",
		"| nchan, SSE | 6 (5–7) | – | **9, 1 lost, 0 again, 0 astray, 0 cut**, 1 rounds failed |\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
}

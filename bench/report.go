//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"
)

// report is all that an invocation measured.
type report struct {
	Command  string     `json:"command"`
	Commit   string     `json:"commit"`
	Machine  string     `json:"machine"`
	Time     time.Time  `json:"time"`
	Sections []*section `json:"scenarios"`
}

// section is one scenario's results.
type section struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Rows  []*row `json:"rows"`
}

// row is one variant's results, in order of the rounds.
type row struct {
	Variant variant    `json:"variant"`
	Rounds  []*outcome `json:"rounds"`
	Failed  int        `json:"failed,omitempty"` // rounds that brought nothing
}

func (r *report) begin(s scenario, variants []variant) *section {
	section := &section{Name: s.name(), Title: s.title()}
	for _, v := range variants {
		section.Rows = append(section.Rows, &row{Variant: v})
	}
	r.Sections = append(r.Sections, section)
	return section
}

// save writes the figures and the tables where the options say.
func (b *bench) save() error {
	if b.JSON != "" {
		text, err := json.MarshalIndent(&b.report, "", "\t")
		if err != nil {
			return err
		}
		if err := os.WriteFile(b.JSON, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	if b.Markdown == "" {
		return nil
	}
	var text strings.Builder
	b.report.write(&text)
	return os.WriteFile(b.Markdown, []byte(text.String()), 0o644)
}

// write writes the tables and what they were made with.
func (r *report) write(w io.Writer) {
	fmt.Fprintf(w, "- command: `%s`\n- commit: %s\n- machine: %s\n- time: %s\n", r.Command, r.Commit, r.Machine, r.Time.Format("2006-01-02 15:04"))
	fmt.Fprint(w, "\nEach figure is the median of the rounds, with the least and the most; × is the median of the ratios to the\n"+
		"ceiling of the same round and transport. Checked: events delivered, and those lost, doubled or cut off.\n")
	for _, s := range r.Sections {
		s.write(w)
	}
}

// write writes one scenario's table. A column stands for a metric that any
// variant has.
func (s *section) write(w io.Writer) {
	columns := s.columns()
	fmt.Fprintf(w, "\n### %s: %s\n\n| target |", s.Name, s.Title)
	for _, c := range columns {
		fmt.Fprintf(w, " %s |", c.Name)
		if c.Ratio {
			fmt.Fprint(w, " × |")
		}
	}
	fmt.Fprint(w, " checked |\n|---|"+strings.Repeat("---:|", strings.Count(tableRow(columns), "|"))+"---|\n")
	for _, r := range s.Rows {
		fmt.Fprintf(w, "| %s |", r.Variant)
		for _, c := range columns {
			fmt.Fprintf(w, " %s |", spread(r.values(c.Name)))
			if c.Ratio {
				fmt.Fprintf(w, " %s |", ratio(s.ratios(r, c.Name)))
			}
		}
		fmt.Fprintf(w, " %s |\n", r.checked())
	}
}

// tableRow has a bar for each cell of the columns.
func tableRow(columns []metric) (row string) {
	for _, c := range columns {
		row += "|"
		if c.Ratio {
			row += "|"
		}
	}
	return row
}

func (s *section) columns() (columns []metric) {
	for _, r := range s.Rows {
		for _, o := range r.Rounds {
			for _, m := range o.Metrics {
				if !slices.ContainsFunc(columns, func(c metric) bool { return c.Name == m.Name }) {
					columns = append(columns, m)
				}
			}
		}
	}
	return columns
}

// values are a metric's, by round.
func (r *row) values(name string) (values []float64) {
	for _, o := range r.Rounds {
		if v, ok := o.value(name); ok {
			values = append(values, v)
		}
	}
	return values
}

func (o *outcome) value(name string) (float64, bool) {
	for _, m := range o.Metrics {
		if m.Name == name {
			return m.Value, true
		}
	}
	return 0, false
}

// ratios are those to the ceiling of the same round; none where one failed.
func (s *section) ratios(r *row, name string) (ratios []float64) {
	for _, c := range s.Rows {
		if c.Variant.Target != "ceiling" || c.Variant.Transport != r.Variant.Transport || c.Failed > 0 || r.Failed > 0 {
			continue
		}
		under := c.values(name)
		for i, v := range r.values(name) {
			if i < len(under) && under[i] > 0 {
				ratios = append(ratios, v/under[i])
			}
		}
	}
	return ratios
}

func (r *row) checked() string {
	var t tally
	for _, o := range r.Rounds {
		t.add(&o.Checked)
	}
	text := t.String()
	if r.Failed > 0 {
		text += fmt.Sprintf(", %d rounds failed", r.Failed)
	}
	return text
}

// String says whether everything came.
func (t *tally) String() string {
	if t.faults() == 0 {
		return "all " + figure(float64(t.Deliveries))
	}
	return fmt.Sprintf("**%s, %d lost, %d again, %d astray, %d cut**", figure(float64(t.Deliveries)), t.Lost, t.Again, t.Stray, t.Cut)
}

// spread is the median, and the least and most in brackets.
func spread(values []float64) string {
	if len(values) == 0 {
		return "–"
	}
	if len(values) == 1 {
		return figure(values[0])
	}
	return fmt.Sprintf("%s (%s–%s)", figure(median(values)), figure(slices.Min(values)), figure(slices.Max(values)))
}

func ratio(values []float64) string {
	if len(values) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", median(values))
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// figure is a number in three digits, thousands as k.
func figure(v float64) string {
	switch size := math.Abs(v); {
	case size >= 999_500:
		return fmt.Sprintf("%.2fM", v/1e6)
	case size >= 9_995:
		return fmt.Sprintf("%.0fk", v/1e3)
	case size >= 99.95 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case size >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

package docs

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"runnel/hubtest"
)

// tableRows returns the cells of every table row of a text whose first cell is
// a piece of code.
func tableRows(text string) (rows [][]string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i, c := range cells {
			cells[i] = strings.TrimSpace(c)
		}
		rows = append(rows, cells)
	}
	return rows
}

// section returns what stands below a heading.
func section(t testing.TB, text, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "\n## "+heading+"\n")
	if !found {
		t.Fatalf("there is no heading %q", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	return rest
}

// code is what stands in backquotes.
func code(cell string) string { return strings.Trim(cell, "`") }

var flagOfHelp = regexp.MustCompile(`(?m)^ +(?:-h, )?--([a-z-]+)`)

// TestFlags compares the table of flags with the program's own help.
func TestFlags(t *testing.T) {
	out, err := exec.Command(hubtest.Program, "serve", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	help := strings.Join(strings.Fields(string(out)), " ")
	var flags []string
	for _, m := range flagOfHelp.FindAllStringSubmatch(string(out), -1) {
		if m[1] != "help" && m[1] != "version" {
			flags = append(flags, m[1])
		}
	}
	var documented []string
	for _, row := range tableRows(section(t, document(t, "docs/operations.md"), "Configuration")) {
		name := strings.TrimPrefix(code(row[0]), "--")
		documented = append(documented, name)
		under := strings.ReplaceAll(name, "-", "_")
		if env := "`RUNNEL_" + strings.ToUpper(under) + "`"; row[1] != env {
			t.Errorf("--%s: %s, not %s", name, row[1], env)
		}
		if key := "`" + under + "`"; row[2] != key && name != "config" {
			t.Errorf("--%s: %s, not %s", name, row[2], key)
		}
		if d := code(row[3]); d != "none" && !strings.Contains(help, "("+d) && !strings.Contains(help, d+" (default)") {
			t.Errorf("--%s: its help does not say (%s", name, d)
		}
	}
	if !slices.Equal(flags, documented) {
		t.Errorf("the help has %v,\noperations.md %v", flags, documented)
	}
}

// TestEnvironment sets each documented variable to what its setting cannot be,
// and expects the hub to refuse to start.
func TestEnvironment(t *testing.T) {
	for _, row := range tableRows(section(t, document(t, "docs/operations.md"), "Configuration")) {
		flag, variable := code(row[0]), code(row[1])
		if flag == "--jwt-issuer" || flag == "--jwt-audience" {
			continue // any text is one
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		cmd := exec.CommandContext(ctx, hubtest.Program, "serve", "--listen", "127.0.0.1:0")
		if flag == "--listen" {
			cmd = exec.CommandContext(ctx, hubtest.Program)
		}
		cmd.Env = []string{variable + "=:not/right"}
		said, err := cmd.CombinedOutput()
		cancel()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() < 1 {
			t.Errorf("%s: %v, %s", variable, err, said)
		}
	}
}

// TestYAML has the program read the documented file.
func TestYAML(t *testing.T) {
	for _, f := range fences(document(t, "docs/operations.md")) {
		if f.info != "yaml" {
			continue
		}
		file := filepath.Join(t.TempDir(), "runnel.yaml")
		writeFile(t, file, strings.Join(f.lines, "\n"))
		// Everything in it is right but for an address, which is to be complained of.
		out, err := exec.Command(hubtest.Program, "--config", file, "--api-key", apiKey, "--listen", "nowhere").CombinedOutput()
		if err == nil || !strings.Contains(string(out), "--listen") {
			t.Errorf("%v, %s", err, out)
		}
		return
	}
	t.Error("there is no file")
}

const metricsSecret = "0123456789abcdef0123456789abcdef"

func adminToken(t *testing.T) string {
	t.Helper()
	token, err := exec.Command(hubtest.Program, "token", "--admin", "--sub", "docs", "--jwt-secret", metricsSecret).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(token))
}

var metricName = regexp.MustCompile(`\brunnel_[a-z_]+`)

// TestMetrics compares the table of metrics with a running hub's.
func TestMetrics(t *testing.T) {
	h := hubtest.Start(t, "--api-key", "docs:0123456789abcdef", "--jwt-secret", metricsSecret)
	request, _ := http.NewRequest("GET", h.URL+"/metrics", nil)
	request.Header.Set("Authorization", "Bearer "+adminToken(t))
	resp, err := web.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	served := map[string]bool{}
	for line := range strings.Lines(string(body)) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok && strings.HasPrefix(name, "runnel_") {
			served[strings.Fields(name)[0]] = true
		}
	}
	text := document(t, "docs/operations.md")
	described := map[string]bool{}
	for _, row := range tableRows(section(t, text, "Metrics")) {
		described[code(row[0])] = true
	}
	for name := range served {
		if !described[name] {
			t.Errorf("%s is not in operations.md", name)
		}
	}
	for _, path := range []string{"docs/operations.md", "docs/protocol.md", "README.md"} {
		for _, name := range metricName.FindAllString(document(t, path), -1) {
			if !served[name] && name != "runnel_token" { // the cookie
				t.Errorf("%s names %s, which the hub does not have", path, name)
			}
		}
	}
}

// TestLogLines compares the table of log lines with what the source writes.
func TestLogLines(t *testing.T) {
	var written []string
	for _, folder := range []string{".", "server", "streams", "auth"} {
		lines, err := logLines(filepath.Join("..", folder))
		if err != nil {
			t.Fatal(err)
		}
		written = append(written, lines...)
	}
	var described []string
	for _, row := range tableRows(section(t, document(t, "docs/operations.md"), "Log lines")) {
		described = append(described, code(row[0]))
	}
	if len(written) < 15 {
		t.Errorf("%d log lines in the source: they are not found", len(written))
	}
	for _, line := range written {
		if !slices.Contains(described, line) {
			t.Errorf("not in operations.md: %s", line)
		}
	}
	for _, line := range described {
		// Not log lines: what the last table of the section begins with.
		if !slices.Contains(written, line) && !strings.HasPrefix(line, "403") && !strings.HasPrefix(line, "/readyz") && !strings.HasPrefix(line, "too many connections") {
			t.Errorf("the source does not write: %s", line)
		}
	}
}

// logLines returns the messages of all calls of a logger in a folder's files.
func logLines(folder string) (lines []string, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return nil, err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if line, ok := logLine(call); ok {
					lines = append(lines, line)
				}
			}
			return true
		})
	}
	return lines, err
}

// logLine returns the message of a call such as s.log.Warn("…").
func logLine(call *ast.CallExpr) (string, bool) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"log", "logger"}, nameOf(method.X)) {
		return "", false
	}
	at := map[string]int{"Debug": 0, "Info": 0, "Warn": 0, "Error": 0, "LogAttrs": 2}
	i, ok := at[method.Sel.Name]
	if !ok || len(call.Args) <= i {
		return "", false
	}
	return literal(call.Args[i])
}

func nameOf(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	}
	return ""
}

// literal returns a string constant, also one of several pieces.
func literal(x ast.Expr) (string, bool) {
	switch x := x.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(x.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		left, okLeft := literal(x.X)
		right, okRight := literal(x.Y)
		return left + right, okLeft && okRight
	}
	return "", false
}

// TestLinks follows the links within and between the documents.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)]+)\)`)
	for _, path := range []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/protocol.md", "docs/operations.md", "docs/decisions.md"} {
		text := document(t, path)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			in := text
			if target != "" {
				in = document(t, filepath.ToSlash(filepath.Join(filepath.Dir(path), target)))
			}
			if anchor != "" && !slices.Contains(anchors(in), anchor) {
				t.Errorf("%s links to %s, where there is no such heading", path, m[1])
			}
		}
	}
}

// anchors are the names that a Markdown text's headings get.
func anchors(text string) (all []string) {
	drop := regexp.MustCompile("[^a-z0-9 _-]")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			title := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
			all = append(all, strings.ReplaceAll(drop.ReplaceAllString(title, ""), " ", "-"))
		}
	}
	return all
}

// TestTables checks that each row of a table has as many cells as its head.
func TestTables(t *testing.T) {
	escaped := strings.NewReplacer(`\|`, "")
	for _, path := range []string{"README.md", "CONTRIBUTING.md", "docs/protocol.md", "docs/operations.md"} {
		cells := 0
		for i, line := range strings.Split(document(t, path), "\n") {
			if !strings.HasPrefix(line, "|") {
				cells = 0
				continue
			}
			n := strings.Count(escaped.Replace(line), "|")
			if cells != 0 && n != cells {
				t.Errorf("%s:%d: %d borders of cells, the head has %d", path, i+1, n, cells)
			}
			cells = n
		}
	}
}

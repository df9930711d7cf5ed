package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// folders are all that hold Go code, and which of ours each may import.
// CONTRIBUTING.md says why.
var folders = map[string][]string{
	".":                   {"server", "client", "streams", "auth", "web", "faultproxy", "spelling"},
	"streams":             nil,
	"streams/streamstest": {"streams"},
	"server":              {"streams", "auth", "strict", "spelling"},
	"auth":                {"strict", "spelling"},
	"strict":              nil,
	"spelling":            nil,
	"web":                 nil,
	"client":              nil,
	"faultproxy":          nil,
	"hubtest":             nil,
	"worktest":            nil,
	"bench":               {"client", "faultproxy"},
	"examples":            {"client"},
	// Tests of the built program; nothing imports them.
	"docs":     nil,
	"e2e":      nil,
	"browsers": nil,
}

// forTests are ours that any test may import.
var forTests = []string{"faultproxy", "hubtest", "streams/streamstest", "worktest"}

// libraries are those that one place each is to know, so that replacing one
// means changing that place.
var libraries = map[string]func(folder, file string) bool{
	"github.com/labstack/echo": func(folder, _ string) bool { return folder == "server" },
	"github.com/redis/go-redis": func(folder, file string) bool {
		return folder == "streams" && (strings.HasPrefix(file, "redis") || isTest(file))
	},
	"github.com/coder/websocket": func(folder, file string) bool {
		return slices.Contains([]string{"server", "client", "bench"}, folder) || onlyTests(folder) && isTest(file)
	},
	"github.com/r3labs/sse": func(folder, file string) bool { return folder == "examples" || isTest(file) },
}

func isTest(file string) bool { return strings.HasSuffix(file, "_test.go") }

func onlyTests(folder string) bool {
	return slices.Contains([]string{"docs", "e2e", "browsers"}, folder)
}

// mayImport reports whether a file of a folder may import a package.
func mayImport(folder, file, imported string) bool {
	for library, allowed := range libraries {
		if imported == library || strings.HasPrefix(imported, library+"/") {
			return allowed(folder, file)
		}
	}
	ours, isOurs := strings.CutPrefix(imported, "runnel/")
	if !isOurs {
		return true
	}
	if isTest(file) && (ours == folder || slices.Contains(forTests, ours)) {
		return true
	}
	return slices.Contains(folders[folder], ours)
}

// TestImports holds every file of the repository against these rules.
func TestImports(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		base := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules"):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(base) != ".go":
			return nil
		}
		files++
		checkImports(t, filepath.ToSlash(name))
		return nil
	})
	if err != nil || files < 100 {
		t.Errorf("%d files looked at, %v", files, err)
	}
}

func checkImports(t *testing.T, name string) {
	folder, file := path.Dir(name), path.Base(name)
	if strings.HasPrefix(folder, "examples/") {
		folder = "examples"
	}
	if _, known := folders[folder]; !known {
		t.Errorf("%s: what may be imported in %s is not said in layout_test.go and CONTRIBUTING.md", name, folder)
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil || !mayImport(folder, file, imported) {
			t.Errorf("%s must not import %s", name, spec.Path.Value)
		}
	}
}

// TestImportsOfProgram: what other programs read feeds with is no part of the
// hub's binary.
func TestImportsOfProgram(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil || !strings.Contains(string(out), "runnel/client\n") {
		t.Fatalf("go list: %v, %d bytes", err, len(out))
	}
	for _, library := range []string{"github.com/r3labs/sse", "gopkg.in/cenkalti/backoff"} {
		if strings.Contains(string(out), library) {
			t.Errorf("the program contains %s", library)
		}
	}
}

func TestImportRules(t *testing.T) {
	for _, c := range []struct {
		folder, file, imported string
		may                    bool
	}{
		{"streams", "tail.go", "sync", true},
		{"streams", "tail.go", "runnel/auth", false},
		{"streams", "tail_test.go", "runnel/streams", true},
		{"streams", "tail_test.go", "runnel/streams/streamstest", true},
		{"streams", "tail.go", "runnel/streams/streamstest", false},
		{"streams", "redis_run.go", "github.com/redis/go-redis/v9", true},
		{"streams", "broker_redis_test.go", "github.com/redis/go-redis/v9", true},
		{"streams", "bolt.go", "github.com/redis/go-redis/v9/maintnotifications", false},
		{"server", "server.go", "runnel/streams", true},
		{"server", "server.go", "runnel/client", false},
		{"server", "server.go", "github.com/labstack/echo/v4", true},
		{"auth", "auth.go", "github.com/labstack/echo/v4", false},
		{".", "serve.go", "github.com/coder/websocket", false},
		{"e2e", "ws_test.go", "github.com/coder/websocket", true},
		{"streams", "any_test.go", "github.com/r3labs/sse/v2", true},
		{"server", "sse.go", "github.com/r3labs/sse/v2", false},
		{"client", "stream.go", "github.com/r3labs/sse/v2", false},
		{"examples", "main.go", "github.com/r3labs/sse/v2", true},
		{"client", "client.go", "runnel/streams", false},
		{".", "main.go", "runnel/server", true},
		{"docs", "main_test.go", "runnel/server", false},
		{"docs", "main_test.go", "runnel/hubtest", true},
		{"bench", "main.go", "runnel/hubtest", false},
		{"hubtest", "node.go", "runnel/server", false},
	} {
		if got := mayImport(c.folder, c.file, c.imported); got != c.may {
			t.Errorf("%s/%s imports %s: %v", c.folder, c.file, c.imported, got)
		}
	}
}

package web

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	pathpkg "path"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestEveryFile(t *testing.T) {
	h := Handler("n1", "v1", true)
	for path := range load("n1", "v1", true) {
		w := get(t, h, "GET", path)
		if w.Code != http.StatusOK || w.Body.Len() == 0 {
			t.Errorf("%s: %d, %d bytes", path, w.Code, w.Body.Len())
		}
		for _, name := range []string{"Content-Type", "ETag", "Cache-Control", "Content-Security-Policy", "X-Content-Type-Options"} {
			if w.Header().Get(name) == "" {
				t.Errorf("%s: no %s", path, name)
			}
		}
		if head := get(t, h, "HEAD", path); head.Code != http.StatusOK || head.Body.Len() > 0 {
			t.Errorf("HEAD %s: %d, %d bytes", path, head.Code, head.Body.Len())
		}
	}
}

// What the page and its modules name has to be there, and nothing of it may
// come from elsewhere.
func TestReferences(t *testing.T) {
	served := load("n1", "v1", true)
	reference := regexp.MustCompile(`(?:src|href)="([^"#]+)"|from "([^"]+)"`)
	for path, f := range served {
		for _, m := range reference.FindAllStringSubmatch(string(f.body), -1) {
			name := m[1]
			if strings.HasPrefix(m[2], "/") {
				name = m[2]
			} else if m[2] != "" {
				name = pathpkg.Join(pathpkg.Dir(path), m[2])
			}
			if _, ok := served[name]; !ok {
				t.Errorf("%s names %q", path, name)
			}
		}
		if outside := regexp.MustCompile(`https?://[^"\s]+`).FindString(string(f.body)); outside != "" && outside != "http://www.w3.org/2000/svg" {
			t.Errorf("%s names %q", path, outside)
		}
	}
}

// The policy forbids code and style in the markup; published text must not
// become markup either.
func TestNothingInline(t *testing.T) {
	for _, page := range []string{"/", "/operator", "/lab"} {
		body := string(load("n1", "v1", true)[page].body)
		if found := regexp.MustCompile(`<style|\sstyle=|\son[a-z]+=|<script[^>]*>[^<]`).FindString(body); found != "" {
			t.Errorf("%s has %q", page, found)
		}
	}
	for path, f := range load("n1", "v1", true) {
		if found := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(`).Find(f.body); found != nil {
			t.Errorf("%s has %q", path, found)
		}
	}
}

// The lab alone reaches another port, that of the visitor's proxy.
func TestOnlyTheLabReachesFurther(t *testing.T) {
	for path, f := range load("n1", "v1", true) {
		if further := strings.Contains(f.policy, "connect-src 'self' "); further != strings.HasPrefix(path, "/lab") {
			t.Errorf("%s: %s", path, f.policy)
		}
	}
}

func TestNodeNameIsEscaped(t *testing.T) {
	body := get(t, Handler(`"><script>x`, "v1", true), "GET", "/").Body.String()
	if strings.Contains(body, "<script>x") || !strings.Contains(body, `data-node="&#34;&gt;&lt;script&gt;x"`) {
		t.Error("the node's name became markup")
	}
}

// TestClientIsSmall: all that pages load of the client, as it is served.
func TestClientIsSmall(t *testing.T) {
	w := get(t, Handler("n1", "v1", false), "GET", "/runnel.js", "Accept-Encoding", "gzip", "Origin", "https://app.example.com")
	if w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("it is served with %v", w.Header())
	}
	if size := w.Body.Len(); size == 0 || size >= 15_000 {
		t.Errorf("it has %d bytes", size)
	}
}

// TestClientIsJoined: every module is there once, behind those it needs, and
// no two have a name in common.
func TestClientIsJoined(t *testing.T) {
	body := string(load("n1", "v1", false)["/runnel.js"].body)
	if left := regexp.MustCompile(`(?m)^import .*|^\s.*|.*/\*\*.*`).FindAllString(body, -1); left != nil {
		t.Errorf("there is left %q", left)
	}
	if exported := regexp.MustCompile(`(?m)^export .*`).FindAllString(body, -1); len(exported) != 3 {
		t.Errorf("it exports %q", exported)
	}
	modules, err := fs.Glob(files, "runnel/*.js")
	if err != nil || len(modules) < 10 {
		t.Fatalf("%d modules: %v", len(modules), err)
	}
	declared := map[string]string{}
	for _, name := range append(modules, "runnel.js") {
		module, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range topLevel.FindAllStringSubmatch(string(module), -1) {
			if other := declared[d[1]]; other != "" {
				t.Errorf("%s and %s both declare %s", other, name, d[1])
			}
			if declared[d[1]] = name; !strings.Contains(body, d[0]) && !strings.Contains(body, strings.TrimPrefix(d[0], "export ")) {
				t.Errorf("%s of %s is not served", d[1], name)
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^(?:export )?class \w+ extends (\w+)`).FindAllStringSubmatchIndex(body, -1) {
		if base := body[m[2]:m[3]]; strings.Index(body, "class "+base+" ") > m[0] {
			t.Errorf("%s comes after what extends it", base)
		}
	}
}

var topLevel = regexp.MustCompile(`(?m)^(?:export )?(?:async )?(?:const|let|class|function) (\w+)`)

// TestJoin: a diamond of modules, in the order in which they need each other.
func TestJoin(t *testing.T) {
	modules := map[string]string{
		"a.js":   "// The first.\nimport { b } from './m/b.js'\nimport { c } from './m/c.js'\n\nexport const a = b + c // it\n",
		"m/b.js": "import { d } from './d.js'\nexport const b = d\n",
		"m/c.js": "import { d } from './d.js'\n/**\n * One more.\n */\nexport const c = d\n",
		"m/d.js": "export const d = 'https://example.com' // one\n",
	}
	read := func(name string) ([]byte, error) {
		if module, ok := modules[name]; ok {
			return []byte(module), nil
		}
		return nil, fs.ErrNotExist
	}
	joined, err := join(read, "a.js")
	if want := "const d = 'https://example.com'\nconst b = d\nconst c = d\nexport const a = b + c\n"; err != nil || string(joined) != want {
		t.Errorf("%v: %q", err, joined)
	}
	delete(modules, "m/d.js")
	if _, err := join(read, "a.js"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a module that is missing: %v", err)
	}
}

// TestClientAlone: with keys the client is served, the demo is not.
func TestClientAlone(t *testing.T) {
	h := Handler("n1", "v1", false)
	if !h.Has("/runnel.js") || !h.Has("/runnel.d.ts") || !h.Has("/operator") || !h.Has("/") || h.Has("/demo/page.js") {
		t.Error("the wrong files are served")
	}
}

// TestHome: with keys / says what runs there, and where its parts are.
func TestHome(t *testing.T) {
	h := Handler("n<1>", "v1.2.3", false)
	body := get(t, h, "GET", "/").Body.String()
	if !strings.Contains(body, ">v1.2.3<") || !strings.Contains(body, ">n&lt;1&gt;<") || !strings.Contains(body, `href="/operator"`) {
		t.Error(body)
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"#]+)"`).FindAllStringSubmatch(body, -1) {
		if !h.Has(m[1]) {
			t.Errorf("/ names %q", m[1])
		}
	}
	if regexp.MustCompile(`<style|\sstyle=|\son[a-z]+=|<script|\{\{`).MatchString(body) {
		t.Error("there is something in the markup that the policy forbids")
	}
}

func TestETag(t *testing.T) {
	h := Handler("n1", "v1", true)
	tag := get(t, h, "GET", "/").Header().Get("ETag")
	if w := get(t, h, "GET", "/", "If-None-Match", tag); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("%d with %d bytes", w.Code, w.Body.Len())
	}
	if other := get(t, Handler("n2", "v1", true), "GET", "/").Header().Get("ETag"); other == tag {
		t.Error("another page, the same ETag")
	}
}

func TestRefuses(t *testing.T) {
	h := Handler("n1", "v1", true)
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"POST", "/", http.StatusMethodNotAllowed},
		{"GET", "/demo/", http.StatusNotFound},
		{"GET", "/demo/index.html", http.StatusNotFound},
		{"GET", "/demo/../web.go", http.StatusNotFound},
		{"GET", "/favicon.ico", http.StatusNotFound},
	} {
		if w := get(t, h, c.method, c.path); w.Code != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, w.Code, c.status)
		}
	}
}

// TestPageOfOperatorsTellsNothing: it is served to anybody.
func TestPageOfOperatorsTellsNothing(t *testing.T) {
	body := string(load("a-node", "v1", false)["/operator"].body)
	if strings.Contains(body, "a-node") || strings.Contains(body, `href="/lab"`) {
		t.Error("the page of operators names the node, or pages of demo mode")
	}
	if _, served := load("a-node", "v1", true)["/"+layout]; served {
		t.Error("the layout is served")
	}
}

// Package web holds the pages that the hub serves, embedded in the program.
//
// [Handler] gives the demo page: plain HTML, CSS and ES modules, without a
// build step or anything from elsewhere.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"time"
)

//go:embed demo
var files embed.FS

// policy lets the page load and reach its own origin only, and run nothing
// that stands in the markup: what somebody publishes stays text.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// types are spelt out because the system's table may lack or change them.
var types = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

type file struct {
	contentType, etag string
	body              []byte
}

// Pages serves embedded files; it is made once, by Handler.
type Pages struct {
	served map[string]file
}

// Handler serves the demo page of the node of that name at "/", and what the
// page needs below "/demo/"; any other path is 404, any method but GET and
// HEAD 405. The answers have a strict Content-Security-Policy and an ETag,
// and are revalidated on every use, so that a new version shows at once.
func Handler(node string) *Pages { return &Pages{load(node)} }

// Has reports whether something is served at the path.
func (p *Pages) Has(path string) bool {
	_, ok := p.served[path]
	return ok
}

// ServeHTTP implements http.Handler.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := p.served[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", f.etag)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}

// load reads all files once, by the path they are served at. It panics on
// files that the program was built with and cannot read: there is no such.
func load(node string) map[string]file {
	served := map[string]file{}
	err := fs.WalkDir(files, "demo", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		at := "/" + name
		if path.Base(name) == "index.html" {
			at, body = "/", render(body, node)
		}
		sum := sha256.Sum256(body)
		served[at] = file{types[path.Ext(name)], `"` + hex.EncodeToString(sum[:12]) + `"`, body}
		return nil
	})
	if err != nil {
		panic(err)
	}
	return served
}

func render(page []byte, node string) []byte {
	var b bytes.Buffer
	if err := template.Must(template.New("page").Parse(string(page))).Execute(&b, node); err != nil {
		panic(err)
	}
	return b.Bytes()
}

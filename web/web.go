// Package web holds what the hub serves to browsers, embedded in the program:
// the client runnel.js for pages of any origin, and the hub's own pages. All of
// it is plain HTML, CSS and ES modules, without a build step or anything from
// elsewhere.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed demo home lab look operator runnel.js runnel runnel.d.ts
var files embed.FS

// directory is files that are served together.
type directory struct {
	root  string // in files
	index string // where its index.html is served; "": it has none
	name  string // of that page, where pages name each other
	demo  bool   // in demo mode only
	keys  bool   // with keys only
	open  bool   // pages of other origins may load it
	reach string // what its page may connect to beside its own origin, as in a policy
}

var directories = []directory{
	{root: "demo", index: "/", name: "Demo", demo: true},
	{root: "home", index: "/", name: "Hub", keys: true},
	{root: "lab", index: "/lab", name: "Firewall lab", demo: true, reach: " http://127.0.0.1:* ws://127.0.0.1:*"},
	{root: "operator", index: "/operator", name: "Operator"},
	{root: "look"}, // what the pages share
	{root: "runnel.js", open: true},
	{root: "runnel.d.ts", open: true},
}

// policy lets a page load and reach its own origin and its directory's reach
// only, and run nothing that stands in the markup: what somebody publishes
// stays text.
func (d directory) policy() string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'" + d.reach + "; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// types are spelt out because the system's table may lack or change them.
var types = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".ts":   "text/plain; charset=utf-8",
}

type file struct {
	contentType, etag string
	body, packed      []byte // packed: the body in gzip
	open              bool   // pages of other origins may load it
	policy            string
}

// Pages serves embedded files; it is made once, by Handler.
type Pages struct {
	served map[string]file
}

// Handler serves /runnel.js and its types, the page of operators at
// "/operator", and in demo mode the demo page at "/", where it says the node's
// name, and the firewall lab's at "/lab". With keys "/" says what runs there.
// Any other path is 404, any method but GET and HEAD 405. The answers have an
// ETag and are revalidated on every use, so that a new version shows at once;
// pages have a strict Content-Security-Policy.
func Handler(node, version string, demo bool) *Pages { return &Pages{load(node, version, demo)} }

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
	body, etag := f.body, f.etag
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		body, etag = f.packed, etag+"-gzip"
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Vary", "Accept, Accept-Encoding")
	h.Set("ETag", `"`+etag+`"`)
	h.Set("Content-Security-Policy", f.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if f.open {
		h.Set("Access-Control-Allow-Origin", "*") // there is nothing in it but the program
		h.Del("Access-Control-Allow-Credentials")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	} else {
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// load reads all files once, by the path they are served at. It panics on
// files that the program was built with and cannot read: there is no such.
func load(node, version string, demo bool) map[string]file {
	h := hub{node, version, demo}
	served := map[string]file{}
	packer, _ := gzip.NewWriterLevel(nil, gzip.BestCompression) // the level is a good one
	for _, d := range directories {
		if !d.servedBy(h) {
			continue
		}
		err := fs.WalkDir(files, d.root, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || name == layout {
				return err
			}
			at, body, err := d.read(name, h)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(body)
			served[at] = file{types[path.Ext(name)], hex.EncodeToString(sum[:12]), body, pack(packer, body), d.open, d.policy()}
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
	return served
}

// read returns where a file is served, and what: of the client all its modules,
// of a page what the layout makes of it.
func (d directory) read(name string, h hub) (at string, body []byte, err error) {
	switch {
	case path.Base(name) == "index.html":
		body, err = d.page(name, h)
		return d.index, body, err
	case d.open && path.Ext(name) == ".js":
		body, err = join(files.ReadFile, name)
	default:
		body, err = files.ReadFile(name)
	}
	return "/" + name, body, err
}

// pack compresses with a writer of load's: each is most of a megabyte.
func pack(w *gzip.Writer, body []byte) []byte {
	var b bytes.Buffer
	w.Reset(&b)
	_, _ = w.Write(body) // memory takes what is written
	_ = w.Close()
	return b.Bytes()
}

// layout is what all pages have around their own: it executes the templates
// that an index.html defines.
const layout = "look/layout.html"

// hub is what pages are made for.
type hub struct {
	Node, Version string
	Demo          bool
}

func (d directory) servedBy(h hub) bool { return !(d.demo && !h.Demo || d.keys && h.Demo) }

// page makes a directory's page. One without a script has no noscript either.
func (d directory) page(name string, h hub) ([]byte, error) {
	t, err := template.ParseFS(files, layout, name)
	if err != nil {
		return nil, err
	}
	type link struct{ At, Name string }
	data := struct {
		hub
		At, Root string
		Script   bool
		Pages    []link // that the hub has, this one too
	}{hub: h, At: d.index, Root: d.root}
	for _, other := range directories {
		if other.name != "" && other.servedBy(h) {
			data.Pages = append(data.Pages, link{other.index, other.name})
		}
	}
	_, err = fs.Stat(files, d.root+"/app.js")
	data.Script = err == nil
	var b bytes.Buffer
	err = t.ExecuteTemplate(&b, path.Base(layout), data)
	return b.Bytes(), err
}

package auth

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"runnel/strict"
)

// origin is a web page's origin (RFC 6454, section 4) in lower case, with the
// port always written out.
type origin struct {
	scheme, host, port string
}

// parseOrigin reads "scheme://host" or "scheme://host:port", as a browser
// writes it: nothing before the host and nothing behind the port.
func parseOrigin(s string) (origin, bool) {
	scheme, rest, ok := strings.Cut(strings.ToLower(s), "://")
	if !ok || !validScheme(scheme) {
		return origin{}, false
	}
	host, port, ok := splitHost(rest)
	if !ok {
		return origin{}, false
	}
	return origin{scheme, host, portOf(port, scheme)}, true
}

func validScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || !('0' <= c && c <= '9' || strings.IndexByte("+-.", c) >= 0)) {
			return false
		}
	}
	return s != ""
}

// splitHost splits "host", "host:port", "[v6]" or "[v6]:port". The host keeps
// its brackets; the port is "" if there is none.
func splitHost(s string) (host, port string, ok bool) {
	host = s
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		host, port = s[:i], s[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' || port[0] == '+' {
			return "", "", false
		}
	}
	return host, port, validHost(host)
}

func validHost(s string) bool {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		return ok && strings.Contains(inner, ":") && net.ParseIP(inner) != nil
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._", c) >= 0) {
			return false
		}
	}
	return s != "" && s[0] != '.'
}

func portOf(port, scheme string) string {
	switch {
	case port != "":
		return port
	case scheme == "https":
		return "443"
	case scheme == "http":
		return "80"
	}
	return ""
}

// origins is the list of pages allowed besides the hub's own.
type origins struct {
	any   bool // "*"
	exact map[origin]bool
	below []origin // host ".example.com": its subdomains
}

func newOrigins(texts []string) (origins, error) {
	o := origins{exact: make(map[origin]bool)}
	for _, s := range texts {
		if s == "*" {
			o.any = true
			continue
		}
		scheme, host, _ := strings.Cut(s, "://")
		rest, wild := strings.CutPrefix(host, "*.")
		parsed, ok := parseOrigin(scheme + "://" + rest)
		if !ok || wild && (!strings.Contains(parsed.host, ".") || net.ParseIP(parsed.host) != nil) {
			return o, fmt.Errorf("origin %q: it has to look like https://app.example.com, https://app.example.com:8443 or https://*.example.com, without a path", s)
		}
		if wild {
			parsed.host = "." + parsed.host
			o.below = append(o.below, parsed)
		} else {
			o.exact[parsed] = true
		}
	}
	return o, nil
}

// lists reports whether the origin is on the list by name; "*" is no name.
func (o *origins) lists(page origin) bool {
	if o.exact[page] {
		return true
	}
	for _, b := range o.below {
		if page.scheme == b.scheme && page.port == b.port && strings.HasSuffix(page.host, b.host) {
			return true
		}
	}
	return false
}

// page is where a request comes from.
type page struct {
	text   string // the Origin header
	origin origin
	none   bool // no Origin header and not from another site: no page, or a same-origin GET
}

// pageOf reads what the browser says. A request without Origin that says it
// comes from another site is an image, a frame or the like there.
func pageOf(r *http.Request) (page, error) {
	headers := r.Header.Values("Origin")
	switch {
	case len(headers) == 0 && strings.EqualFold(r.Header.Get("Sec-Fetch-Site"), "cross-site"):
		return page{}, refuse(ErrOrigin, "the request comes from another site and does not say which")
	case len(headers) == 0:
		return page{none: true}, nil
	case len(headers) == 1:
		if o, ok := parseOrigin(headers[0]); ok { // "null", of sandboxed frames and files, is none
			return page{text: headers[0], origin: o}, nil
		}
	}
	return page{}, refuse(ErrOrigin, "the request's Origin is not one that can be allowed")
}

// own reports whether the page is the hub's own: same host, port and scheme. A
// secure page counts for a plain request too: browsers let it make none, so a
// proxy in between ended the TLS.
func (r *rules) own(req *http.Request, o origin) bool {
	host, port, ok := splitHost(strings.ToLower(req.Host))
	if !ok || host != o.host || portOf(port, o.scheme) != o.port {
		return false
	}
	return o.scheme == "https" || o.scheme == "http" && r.scheme(req) == "http"
}

func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// checkOrigin allows the hub's own pages, listed ones, and none; with anyToo
// also what only "*" allows.
func (r *rules) checkOrigin(req *http.Request, anyToo bool) error {
	if r.demo {
		return demoRule.check(req)
	}
	p, err := pageOf(req)
	switch {
	case err != nil:
		return err
	case p.none, r.own(req, p.origin), r.origins.lists(p.origin), anyToo && r.origins.any:
		return nil
	}
	return refuse(ErrOrigin, "pages from %s are not allowed here; the hub's operator can allow them with --origin", strict.Cut(p.text, maxOriginShown))
}

// maxOriginShown is as long as a host's name and what stands around it can be.
const maxOriginShown = 300

// CheckOrigin is the rule for every WebSocket handshake: the request comes
// from a page of the hub's own, an allowed one, or none. Else it is ErrOrigin.
// Cookies are stricter where "*" is allowed; [Verifier.Request] sees to that.
func (v *Verifier) CheckOrigin(r *http.Request) error {
	return v.rules.Load().checkOrigin(r, true)
}

// AllowedOrigin says what a CORS answer has to name as
// Access-Control-Allow-Origin, and whether it has to at all. An origin by name
// goes with Access-Control-Allow-Credentials: true; "*", for pages that only
// the list's "*" allows, goes without.
func (v *Verifier) AllowedOrigin(r *http.Request) (string, bool) {
	rules := v.rules.Load()
	p, err := pageOf(r)
	switch {
	case err != nil || p.none:
		return "", false
	case rules.checkOrigin(r, false) == nil:
		return p.text, true
	case rules.origins.any && !rules.demo:
		return "*", true
	}
	return "", false
}

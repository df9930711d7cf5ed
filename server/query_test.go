package server

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
)

// TestParametersAreKnown: what the source reads from a query stands in the
// list, and nothing else does.
func TestParametersAreKnown(t *testing.T) {
	read := map[string]bool{}
	for _, pattern := range []string{"*.go", "../auth/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if name, ok := queried(n); ok {
					read[name] = true
				}
				if call, ok := n.(*ast.SelectorExpr); ok && pattern == "*.go" && !strings.HasSuffix(name, "_test.go") && slices.Contains(pastReadQuery, call.Sel.Name) {
					t.Errorf("%s reads a query by %s: that is for readQuery", name, call.Sel.Name)
				}
				return true
			})
		}
	}
	read["debug"], read["gc"] = true, true // by net/http/pprof
	for name := range read {
		if !parameters.Has(name) {
			t.Errorf("%s= is read, and no line of parameters says so", name)
		}
	}
	for _, p := range parameters.All() {
		if !read[p] {
			t.Errorf("%s= is a parameter, and nobody reads it", p)
		}
	}
}

var pastReadQuery = []string{"Query", "QueryParam", "QueryParams", "FormValue", "FormParams", "ParseForm", "ParseQuery"}

// queried finds query.Get("name"), query["name"] and readFlag(query, "name").
func queried(n ast.Node) (name string, ok bool) {
	var of, argument ast.Expr
	switch n := n.(type) {
	case *ast.IndexExpr:
		of, argument = n.X, n.Index
	case *ast.CallExpr:
		if get, is := n.Fun.(*ast.SelectorExpr); is && get.Sel.Name == "Get" && len(n.Args) == 1 {
			of, argument = get.X, n.Args[0]
		}
		if f, is := n.Fun.(*ast.Ident); is && f.Name == "readFlag" {
			of, argument = n.Args[0], n.Args[1]
		}
	}
	literal, isText := argument.(*ast.BasicLit)
	if id, is := of.(*ast.Ident); !is || id.Name != "query" || !isText {
		return "", false
	}
	name, err := strconv.Unquote(literal.Value)
	return name, err == nil
}

// TestMisspeltParameterIsRefused: on every route, whoever asks, before anything
// is done; other names are somebody else's.
func TestMisspeltParameterIsRefused(t *testing.T) {
	n := startNode(t)
	for _, surface := range []http.Handler{n.Handler(), n.AdminHandler()} {
		routes := surface.(*echo.Echo).Routes()
		if len(routes) < 10 {
			t.Fatalf("%d routes", len(routes))
		}
		for _, route := range routes {
			path := strings.ReplaceAll(route.Path, ":channel", "c")
			if strings.HasSuffix(path, "/ws") {
				continue // told by a close code
			}
			ask := func(query string) *httptest.ResponseRecorder {
				w := httptest.NewRecorder()
				surface.ServeHTTP(w, httptest.NewRequest(route.Method, path+query, nil))
				return w
			}
			if w := ask("?lastEventid=1-1&nonce=1"); path == "/" || path == "/healthz" || path == "/readyz" {
				if w.Code == 400 {
					t.Errorf("%s %s: %d %s", route.Method, path, w.Code, w.Body)
				}
			} else if w.Code != 400 || route.Method != "HEAD" && !strings.Contains(w.Body.String(), `\"lastEventid\" is no parameter of the hub's; last_event_id is`) {
				t.Errorf("%s %s: %d %s", route.Method, path, w.Code, w.Body)
			}
			if strings.HasPrefix(path, "/debug/pprof/") && path != "/debug/pprof/" {
				continue // its answer takes long
			}
			if w := ask("?utm_source=x&_=17&lastEventId=1-1"); w.Code == 400 && strings.Contains(w.Body.String(), "parameter") {
				t.Errorf("%s %s: %d %s", route.Method, path, w.Code, w.Body)
			}
		}
	}
}

func TestMisspeltNames(t *testing.T) {
	n := startNode(t, demo)
	for query, meant := range map[string]string{
		"last-event-id=1-1": "last_event_id", "lasteventid=1-1": "last_event_id", "LastEventId=1-1": "last_event_id",
		"last_event=1-1": "last_event_id", "last_evnt_id=": "last_event_id", "Since=10m": "since", "sinse=10m": "since", "rewnd=5": "rewind",
		"chanel=a": "channel", "channels=a": "channel", "chnanel=a": "channel", "rewnid=5": "rewind", "last_eventld=1-1": "last_event_id", "%6cimits=5": "limit", "second=5": "seconds", "Wait=5s": "wait", "ephemerel=true": "ephemeral",
		"accessToken=x": "access_token", "Ticket=x": "ticket",
		// Not ours.
		"waits=5s": "", "wit=5": "", "utm_campaign=x": "", "a=1": "", "=": "", "rewinding=5": "", "channel[]=a": "",
	} {
		r := n.send(request{method: "GET", path: "/channels/c/events?" + query})
		if meant == "" && r.StatusCode != 200 || meant != "" && (r.StatusCode != 400 || !strings.Contains(r.body, "; "+meant+" is")) {
			t.Errorf("%s: %d %s, want %s", query, r.StatusCode, r.body, meant)
		}
	}
	for header, meant := range map[string]string{
		"Idempotence-Key: k": "Idempotency-Key", "IdempotencyKey: k": "Idempotency-Key", "X-Idempotency-Key: k": "Idempotency-Key",
		"Last-Event: 1-1": "Last-Event-ID", "LastEventId: 1-1": "Last-Event-ID", "Latest-Event: 1-1": "", "Last-Event-ID: 1-1": "", "Last-Modified: x": "", "X-Request-Id: x": "",
	} {
		r := n.publish("/channels/c/events", "text/plain", "x", header)
		if meant == "" && r.StatusCode != 201 || meant != "" && (r.StatusCode != 400 || !strings.Contains(r.body, "; "+meant+" is")) {
			t.Errorf("%s: %d %s, want %s", header, r.StatusCode, r.body, meant)
		}
	}
}

// TestOrdinaryWordsAreNotOurs: what applications, proxies and cache busters add
// to a URL is let be, also where it is near a name of ours.
func TestOrdinaryWordsAreNotOurs(t *testing.T) {
	n := startNode(t, demo)
	for word := range strings.FieldsSeq(`
		nonce include agent ticker socket score scores shared sorted cancel visit actor enter later bucket packet slice started digit
		version random rand cache cachebust nocache buster stamp timestamp time date locale lang language country region currency theme
		client device platform source medium campaign referrer session account tenant project room topic group member user username
		offset cursor page pages order orders filter search query offer store stores stars start state status string strict steam
		remind reminder rewrite review renew window winds wind first last latest newest oldest earliest history events_only
		format pretty verbose trace level limited unlimited quality quota token_type access access_key granted event_source
		alter aster rafter alert offers other letter center enter_at filters actors factor water wafer afternoon
		priced prices province science sense singe wince mince silence signed
		thicket wicket picket pocket rocket jacket basket market tickers
		excludes_all excluding inclusion explode expires extended
		prefer prefixes_of suffix profix_x stormed stored_at scored stared stoked stream_id screen scream street
	`) {
		if r := n.send(request{method: "GET", path: "/channels/c/events?" + word + "=1"}); r.StatusCode != 200 {
			t.Errorf("%s: %d %s", word, r.StatusCode, r.body)
		}
	}
}

// TestQueryIsReadAsAlways but for the position.
func TestQueryIsReadAsAlways(t *testing.T) {
	for _, raw := range []string{"", "&", "a=1&b=2&a=3", "a", "=x", "a=%20+b", "%61=1", "a=1=2", "a=%zz", "%=1", "a=1;b=2", "a&a"} {
		want, wrong := url.ParseQuery(raw)
		got, err := readQuery(&http.Request{URL: &url.URL{RawQuery: raw}})
		if (err != nil) != (wrong != nil) || err == nil && got.Encode() != want.Encode() {
			t.Errorf("%q: %v %v, want %v", raw, got, err, want)
		}
	}
}

package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"runnel/auth"
	"runnel/streams"
)

func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		err           error
		code          string
		status, close int
	}{
		{auth.ErrMissing, codeUnauthorized, 401, 4001},
		{fmt.Errorf("x: %w", auth.ErrExpired), codeUnauthorized, 401, 4001},
		{auth.ErrInvalid, codeUnauthorized, 401, 4001},
		{auth.ErrForbidden, codeForbidden, 403, 4003},
		{auth.ErrOrigin, codeForbidden, 403, 4003},
		{auth.ErrUnavailable, codeUnavailable, 503, 1013},
		{streams.ErrBadChannel, codeBadRequest, 400, 4003},
		{streams.ErrKeyReused, codeConflict, 409, 4003},
		{errors.Join(streams.ErrUnknownOutcome, context.Canceled), codeUnknownOutcome, 504, 1013},
		{streams.ErrUnavailable, codeUnavailable, 503, 1013},
		{streams.ErrClosed, codeUnavailable, 503, 1001},
		{errDraining, codeUnavailable, 503, 1001},
		{&http.MaxBytesError{Limit: 9}, codeTooLarge, 413, 1009},
		{fault(codeRateLimited, "x"), codeRateLimited, 429, 4008},
		{fault(codeConnectionLimit, "x"), codeConnectionLimit, 429, 4009},
		{fault(codeInvalidData, "x"), codeInvalidData, 422, 4003},
		{echo.ErrNotFound, codeNotFound, 404, 4003},
		{echo.ErrMethodNotAllowed, codeMethodNotAllowed, 405, 4003},
		{echo.ErrTeapot, codeInternal, 500, 1011},
		{errors.New("secret detail"), codeInternal, 500, 1011},
	} {
		e := describe(c.err)
		if e.code != c.code || e.status != c.status || e.manner.close != c.close || e.message == "" {
			t.Errorf("%v: %+v", c.err, e)
		}
		if strings.Contains(e.message, "secret") {
			t.Errorf("%v is told to the client", c.err)
		}
		if (e.status == 429 || e.status == 503 || e.status == 504) != (e.retry > 0) {
			t.Errorf("%v: retry %v", c.err, e.retry)
		}
		if e.code == codeInternal && !errors.Is(e, c.err) {
			t.Errorf("%v: the cause is lost", c.err)
		}
	}
}

// boom adds routes that fail in ways that no handler should.
func boom(n *node) {
	e := n.Handler().(*echo.Echo)
	e.GET("/boom", func(echo.Context) error { panic("secret detail") })
	e.GET("/odd", func(echo.Context) error { return errors.New("secret detail") })
	e.GET("/late", func(c echo.Context) error {
		c.String(http.StatusOK, "begun")
		return errors.New("secret detail")
	})
}

func TestUnforeseenErrorsAreLoggedNotTold(t *testing.T) {
	n := startNode(t)
	boom(n)
	for _, path := range []string{"/boom", "/odd"} {
		r := n.send(request{method: "GET", path: path})
		n.wantCode(r, http.StatusInternalServerError, codeInternal)
		if strings.Contains(r.body, "secret") {
			t.Errorf("%s tells %s", path, r.body)
		}
		if id := r.Header.Get("X-Request-Id"); !strings.Contains(n.output.String(), "request_id="+id+" method=GET path="+path+" code=internal cause=") {
			t.Errorf("%s is not in the log: %s", path, n.output)
		}
	}
	if r := n.send(request{method: "GET", path: "/late"}); r.body != "begun" {
		t.Errorf("an answer that had begun became %q", r.body)
	}
}

func TestRouterErrorsHaveTheSameShape(t *testing.T) {
	n := startNode(t)
	n.wantCode(n.send(request{method: "GET", path: "/nothing"}), http.StatusNotFound, codeNotFound)
	n.wantCode(n.send(request{method: "GET", path: "/channels/a/b/events"}), http.StatusNotFound, codeNotFound)
	r := n.send(request{method: "DELETE", path: "/channels/c/events"})
	n.wantCode(r, http.StatusMethodNotAllowed, codeMethodNotAllowed)
	if allow := r.Header.Get("Allow"); !strings.Contains(allow, "GET") || !strings.Contains(allow, "POST") {
		t.Errorf("Allow: %s", allow)
	}
	n.wantCode(n.send(request{method: "GET", path: "/tickets"}), http.StatusMethodNotAllowed, codeMethodNotAllowed)
}

// onePage has / and /app.js.
type onePage struct{}

func (onePage) Has(path string) bool { return path == "/" || path == "/app.js" }

func (onePage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		fmt.Fprintf(w, "%s of %s", r.Method, r.URL.Path)
		return
	}
	fmt.Fprint(w, "page of "+r.URL.Path)
}

func TestThePageAnswersWhatItHas(t *testing.T) {
	n := startNode(t, func(c *Config, _ *auth.Config) { c.Page = onePage{} })
	n.wantCode(n.send(request{method: "GET", path: "/nothing"}), http.StatusNotFound, codeNotFound)
	for _, path := range []string{"/", "/app.js"} {
		if r := n.send(request{method: "GET", path: path + "?tickets=1&Wait=2", header: []string{"Accept: text/html"}}); r.StatusCode != 200 || r.body != "page of "+path {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.body)
		}
	}
	if r := n.send(request{method: "POST", path: "/app.js"}); r.body != "POST of /app.js" {
		t.Errorf("a method that is the page's to refuse: %d %s", r.StatusCode, r.body)
	}
	n.wantCode(n.send(request{method: "GET", path: "/tickets"}), http.StatusMethodNotAllowed, codeMethodNotAllowed)
}

func TestUnauthorizedChallenges(t *testing.T) {
	n := startNode(t)
	for token, want := range map[string]string{"": `Bearer realm="runnel"`, "x": `Bearer realm="runnel", error="invalid_token", error_description="not valid"`} {
		r := n.send(request{method: "POST", path: "/tickets", token: token})
		n.wantCode(r, http.StatusUnauthorized, codeUnauthorized)
		if got := r.Header.Get("WWW-Authenticate"); got != want {
			t.Errorf("token %q: %s", token, got)
		}
	}
}

// A store that is away fails every request; the log hears of it now and then.
func TestOutagesDoNotFloodTheLog(t *testing.T) {
	n := startNode(t)
	n.store.Close()
	failed := streams.ErrUnavailable
	for range 50 {
		n.logFailure(httptest.NewRequest("POST", "/x?access_token=secret", nil), "id", describe(failed))
	}
	if lines := strings.Count(n.output.String(), "path=/x"); lines != 1 {
		t.Errorf("%d lines", lines)
	}
	if strings.Contains(n.output.String(), "secret") {
		t.Error("a token in the log")
	}
}

func TestRequestIDs(t *testing.T) {
	n := startNode(t)
	for given, kept := range map[string]bool{"abc-1.2_Z": true, "": false, "a b": false, "a;b": false, "é": false, strings.Repeat("a", 65): false} {
		r := n.send(request{method: "GET", path: "/healthz", header: []string{"X-Request-Id: " + given}})
		if got := r.Header.Get("X-Request-Id"); (got == given) != kept || got == "" {
			t.Errorf("%q became %q", given, got)
		}
	}
}

// TestHome: browsers get the page, programs name and version.
func TestHome(t *testing.T) {
	n := startNode(t, func(c *Config, _ *auth.Config) { c.Page = onePage{} })
	for accept, want := range map[string]string{
		"": `{"name":"runnel","version":"v0.0.0-test"}`, "*/*": `{"name":"runnel","version":"v0.0.0-test"}`, "application/json": `{"name":"runnel","version":"v0.0.0-test"}`,
		"text/html,application/xhtml+xml,*/*;q=0.8": "page of /",
	} {
		if r := n.send(request{method: "GET", path: "/", header: []string{"Accept: " + accept}}); r.body != want {
			t.Errorf("for %q: %s", accept, r.body)
		}
	}
}

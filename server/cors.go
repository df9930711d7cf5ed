package server

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// Headers of every answer, made once for all: none of them is changed in place.
var (
	cacheControl  = []string{"no-store, no-transform"}
	vary          = []string{"Accept, Origin"}
	noSniff       = []string{"nosniff"}
	typeJSON      = []string{"application/json"}
	exposed       = []string{corsExposed}
	credentialsIn = []string{"true"}
)

const (
	corsMethods = "GET, POST"
	// corsHeaders are those of protocol.md that a browser asks about first, and
	// those that libraries add to whatever they ask for.
	corsHeaders = "Authorization, Cache-Control, Content-Type, Idempotency-Key, Last-Event-ID, Pragma, X-Request-Id, X-Requested-With"
	corsExposed = "Allow, Retry-After, WWW-Authenticate, X-Request-Id"
	// corsMaxAge: ten minutes spare a page that publishes its preflights, and
	// an origin taken out of the configuration is out soon.
	corsMaxAge = "600"
)

// commonHeaders sets what every answer carries, and for pages of an allowed
// origin what lets them read it. no-transform keeps proxies from compressing,
// and so buffering, a feed.
func (s *Server) commonHeaders(c echo.Context) (allowed bool) {
	h := c.Response().Header()
	h["Cache-Control"] = cacheControl
	h["Vary"] = vary
	h["X-Content-Type-Options"] = noSniff
	origin, allowed := s.verifier.AllowedOrigin(c.Request())
	if !allowed {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h["Access-Control-Expose-Headers"] = exposed
	if origin != "*" {
		h["Access-Control-Allow-Credentials"] = credentialsIn
	}
	return true
}

// isPreflight: https://fetch.spec.whatwg.org/#cors-preflight-request
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// preflight answers a browser that asks whether its page may send a request.
func preflight(c echo.Context, allowed bool) error {
	if !allowed {
		return forbidden("pages of this origin are not allowed; --origin names those that are")
	}
	h := c.Response().Header()
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Allow-Headers", corsHeaders)
	h.Set("Access-Control-Max-Age", corsMaxAge)
	return c.NoContent(http.StatusNoContent)
}

package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"runnel/auth"
	"runnel/strict"
)

// routes makes the public surface.
func (s *Server) routes() *echo.Echo {
	e := s.newEcho()
	e.Pre(orNearest(e, s.page), s.orPage)
	e.GET("/channels/:channel/events", s.feed)
	e.POST("/channels/:channel/events", s.asUser(s.publishEvent))
	e.GET("/channels/:channel/ws", s.websocket)
	e.GET("/events", s.feeds)
	e.POST("/events", s.publishItems)
	e.GET("/ws", s.websocket)
	e.POST("/tickets", s.asUser(s.issueTicket))
	getAndHead(e, "/", s.home)
	healthRoutes(e, s, s.requireAdmin)
	nodeRoutes(e, s, s.adminOnly)
	if s.adminListen == "" {
		adminRoutes(e, s, s.adminOnly)
	}
	return e
}

// adminSurface makes what operators see. Who reaches its address may see it:
// so it has no feeds, which carry what users write, and no page that reads them.
func (s *Server) adminSurface() *echo.Echo {
	e := s.newEcho()
	e.Pre(orNearest(e, nil))
	healthRoutes(e, s, s.requireOperator) // probes send any Host
	getAndHead(e, "/", s.about, s.operatorsOnly)
	nodeRoutes(e, s, s.operatorsOnly)
	adminRoutes(e, s, s.operatorsOnly)
	getAndHead(e, "/operator", func(echo.Context) error {
		return fault(codeNotFound, "/operator is on the hub's public address, for an admin token: it reads feeds, and this address has none")
	})
	return e
}

func (s *Server) newEcho() *echo.Echo {
	e := echo.New()
	e.Logger.SetOutput(slogWriter{s.log})
	e.HTTPErrorHandler = func(err error, c echo.Context) { s.fail(c, err) }
	e.Pre(s.around)
	e.Use(s.spelt)
	return e
}

// healthRoutes answer everybody, and operators more: those whose requests pass.
func healthRoutes(e *echo.Echo, s *Server, pass func(*http.Request) error) {
	getAndHead(e, "/healthz", func(c echo.Context) error { return s.healthz(c, pass(c.Request()) == nil) })
	getAndHead(e, "/readyz", func(c echo.Context) error { return s.readyz(c, pass(c.Request()) == nil) })
}

// adminRoutes leaves out pprof's cmdline: a command line may hold keys.
func adminRoutes(e *echo.Echo, s *Server, m ...echo.MiddlewareFunc) {
	m = append(m, s.unhurried)
	e.GET("/metrics", echo.WrapHandler(s.metrics.handler()), m...)
	e.GET("/debug/pprof/", echo.WrapHandler(http.HandlerFunc(pprof.Index)), m...)
	e.GET("/debug/pprof/profile", echo.WrapHandler(http.HandlerFunc(pprof.Profile)), m...)
	e.GET("/debug/pprof/symbol", echo.WrapHandler(http.HandlerFunc(pprof.Symbol)), m...)
	e.GET("/debug/pprof/trace", echo.WrapHandler(http.HandlerFunc(pprof.Trace)), m...)
	for _, name := range []string{"allocs", "block", "goroutine", "heap", "mutex", "threadcreate"} {
		e.GET("/debug/pprof/"+name, echo.WrapHandler(pprof.Handler(name)), m...)
	}
}

// operatorsOnly keeps pages of others from an address that asks for no token.
func (s *Server) operatorsOnly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := s.requireOperator(c.Request()); err != nil {
			return err
		}
		return next(c)
	}
}

func (s *Server) requireOperator(r *http.Request) error {
	return auth.CheckWithoutToken(r, s.adminNames)
}

// maxProfile is how long a profile may be: each holds a connection, and a trace
// costs all others time.
const maxProfile = 60 * time.Second

// unhurried is for profiles, which take as long as they are asked to.
func (s *Server) unhurried(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		query, err := readQuery(c.Request())
		if err != nil {
			return err
		}
		if text := query.Get("seconds"); text != "" {
			if n, err := strconv.ParseFloat(text, 64); err != nil || !(n >= 0 && n <= maxProfile.Seconds()) {
				return badRequest("seconds is a number up to %v", maxProfile.Seconds())
			}
		}
		_ = http.NewResponseController(c.Response().Writer).SetWriteDeadline(time.Now().Add(maxProfile + s.limits.AnswerWait))
		return next(c)
	}
}

func getAndHead(e *echo.Echo, path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) {
	e.GET(path, h, m...)
	e.HEAD(path, h, m...)
}

func (s *Server) adminOnly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := s.requireAdmin(c.Request()); err != nil {
			return err
		}
		return next(c)
	}
}

// around is what stands around every request, those that no route knows too:
// an ID, headers, deadlines, and an end in which nothing is left unanswered.
func (s *Server) around(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		nameRequest(c)
		allowed := s.commonHeaders(c)
		s.deadlines(c)
		endAmbiguous(c)
		defer s.logRequest(c, time.Now())
		defer func() {
			v, begun := recover(), c.Response().Committed
			if v != nil {
				err = recovered(v)
			}
			if err != nil {
				s.fail(c, err)
			}
			if err = nil; v != nil && begun {
				panic(http.ErrAbortHandler) // the answer is not to look complete
			}
		}()
		if isPreflight(c.Request()) {
			return preflight(c, allowed)
		}
		return next(c)
	}
}

// orPage lets the page answer what no route knows.
func (s *Server) orPage(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		if s.page == nil || !errors.Is(err, echo.ErrNotFound) || !s.page.Has(c.Request().URL.Path) {
			return err
		}
		s.page.ServeHTTP(c.Response(), c.Request())
		return nil
	}
}

// recovered turns a panic into an error with its stack. A handler that aborts
// its connection on purpose goes on doing so.
func recovered(v any) error {
	if v == http.ErrAbortHandler {
		panic(v)
	}
	return fmt.Errorf("panic: %v\n%s", v, debug.Stack())
}

// deadlines bounds the time of a body: also of one that nobody reads, which
// net/http reads to the end before the next request. Bodies that came whole
// have the deadline taken off again (readBody). It bounds that of the answer
// too, for the peer may not read; what lasts longer sets it anew (feeds, polls).
func (s *Server) deadlines(c echo.Context) {
	// Not supported by writers of tests that have no connection.
	control, now := http.NewResponseController(c.Response().Writer), time.Now()
	_ = control.SetWriteDeadline(now.Add(s.limits.AnswerWait))
	if c.Request().ContentLength != 0 {
		_ = control.SetReadDeadline(now.Add(s.limits.BodyWait))
	}
}

// endAmbiguous has the answer be the last of its connection where a proxy may
// have read the request's length otherwise, and what follows would be another
// client's (RFC 9112 section 6.1): with both lengths, of which net/http hides
// one, and with Transfer-Encoding in HTTP/1.0, which it hides as well.
func endAmbiguous(c echo.Context) {
	if r := c.Request(); r.ProtoMajor == 1 && (r.ProtoMinor == 0 || len(r.TransferEncoding) > 0) {
		c.Response().Header().Set("Connection", "close")
	}
}

// logRequest writes a line for those who look closely. Never the query: it
// may hold a token.
func (s *Server) logRequest(c echo.Context, began time.Time) {
	r := c.Request()
	if !s.log.Enabled(r.Context(), slog.LevelDebug) {
		return
	}
	s.log.LogAttrs(r.Context(), slog.LevelDebug, "request",
		slog.String("request_id", requestID(c)), slog.String("method", r.Method), slog.String("path", strict.Cut(r.URL.Path, maxLogged)),
		slog.Int("status", c.Response().Status), slog.Int64("bytes", c.Response().Size),
		slog.Duration("took", time.Since(began)), slog.String("client", s.clientIP(r).String()))
}

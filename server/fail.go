package server

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"runnel/strict"
)

// fail answers a request with an error, if nothing was answered yet.
func (s *Server) fail(c echo.Context, err error) {
	e := describe(err)
	s.note(c, e)
	if c.Response().Committed {
		return
	}
	h := c.Response().Header()
	if e.challenge != "" {
		h.Set("WWW-Authenticate", e.challenge)
	}
	if e.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int(e.retry/time.Second)))
	}
	if err := answer(c, e.status, appendError(nil, e, requestID(c))); err != nil {
		s.log.Debug("error not delivered", "request_id", requestID(c), "cause", err)
	}
}

// note counts an error that a client is told, and logs it where an operator
// should know. One that has gone is told nothing: that its request could not be
// finished is no trouble of the hub's.
func (s *Server) note(c echo.Context, e *apiError) {
	if c.Request().Context().Err() != nil {
		return
	}
	s.metrics.reject(e.code)
	s.logFailure(c.Request(), requestID(c), e)
}

// maxLogged is how much of a path a log line shows: more than those of the hub
// have, and clients may send 16 KiB.
const maxLogged = 256

// logFailure logs what is not the client's own doing. A log that is away
// fails every request: one line a second says so, the metrics count the rest.
func (s *Server) logFailure(r *http.Request, requestID string, e *apiError) {
	line := func() {
		s.log.LogAttrs(context.Background(), slog.LevelError, "request failed",
			slog.String("request_id", requestID), slog.String("method", r.Method), slog.String("path", strict.Cut(r.URL.Path, maxLogged)),
			slog.String("code", e.code), slog.Any("cause", e.cause))
	}
	switch {
	case e.status < http.StatusInternalServerError || e.close == closeDraining:
	case e.code == codeInternal:
		line()
	default:
		s.outages.Do(line)
	}
}

// appendError appends the error object of protocol.md; without a request ID
// it is one item's of a batch or a WebSocket message's.
func appendError(b []byte, e *apiError, requestID string) []byte {
	b = appendJSONString(append(b, `{"error":{"code":`...), e.code)
	b = appendJSONString(append(b, `,"message":`...), e.message)
	if requestID != "" {
		b = appendJSONString(append(b, `,"request_id":`...), requestID)
	}
	return append(b, "}}"...)
}

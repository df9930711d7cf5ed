package server

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"runnel/streams"
)

// healthz answers as long as the process does.
func (s *Server) healthz(c echo.Context, operator bool) error {
	return s.answerHealth(c, operator, http.StatusOK, "alive", "")
}

// readyz answers 200 while this node may be sent clients: the log carried an
// event through append and follow just now, and the node is not draining.
func (s *Server) readyz(c echo.Context, operator bool) error {
	if s.draining() {
		return s.answerHealth(c, operator, http.StatusServiceUnavailable, "draining", "the node is shutting down")
	}
	err := s.broker.Ready()
	if err == nil {
		return s.answerHealth(c, operator, http.StatusOK, "ready", "")
	}
	cause := describe(streams.ErrUnavailable).message
	if operator {
		cause = err.Error()
	}
	return s.answerHealth(c, operator, http.StatusServiceUnavailable, "unavailable", cause)
}

// answerHealth answers with {"status","cause","version","node","store","uptime"
// in seconds,"connections"}, without a cause where there is none. Where the
// store is, and what is wrong there, is for operators.
func (s *Server) answerHealth(c echo.Context, operator bool, status int, word, cause string) error {
	store := s.store
	if !operator {
		store, _, _ = strings.Cut(store, ":")
	}
	b := appendJSONString([]byte(`{"status":`), word)
	if cause != "" {
		b = appendJSONString(append(b, `,"cause":`...), cause)
	}
	b = appendJSONString(append(b, `,"version":`...), s.version)
	b = appendJSONString(append(b, `,"node":`...), s.node)
	b = appendJSONString(append(b, `,"store":`...), store)
	b = strconv.AppendInt(append(b, `,"uptime":`...), int64(s.uptime()/time.Second), 10)
	b = strconv.AppendInt(append(b, `,"connections":`...), int64(s.admissions.count()), 10)
	return answer(c, status, append(b, '}'))
}

// home is GET /: browsers get the page, programs what runs here.
func (s *Server) home(c echo.Context) error {
	if s.page == nil || !s.page.Has("/") || !strings.Contains(c.Request().Header.Get("Accept"), "text/html") {
		return s.about(c)
	}
	s.page.ServeHTTP(c.Response(), c.Request())
	return nil
}

// about says what runs here.
func (s *Server) about(c echo.Context) error {
	b := appendJSONString([]byte(`{"name":"runnel","version":`), s.version)
	return answer(c, http.StatusOK, append(b, '}'))
}

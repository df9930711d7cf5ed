package server

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// healthz answers as long as the process does.
func (s *Server) healthz(c echo.Context) error {
	return answer(c, http.StatusOK, s.appendHealth(nil, "alive", ""))
}

// readyz answers 200 while this node may be sent clients: the log carried an
// event through append and follow just now, and the node is not draining.
func (s *Server) readyz(c echo.Context) error {
	if s.draining() {
		return answer(c, http.StatusServiceUnavailable, s.appendHealth(nil, "draining", "the node is shutting down"))
	}
	if err := s.broker.Ready(); err != nil {
		return answer(c, http.StatusServiceUnavailable, s.appendHealth(nil, "unavailable", err.Error()))
	}
	return answer(c, http.StatusOK, s.appendHealth(nil, "ready", ""))
}

// appendHealth appends {"status","cause","version","node","store","uptime" in
// seconds,"connections"}, without a cause where there is none.
func (s *Server) appendHealth(b []byte, status, cause string) []byte {
	b = appendJSONString(append(b, `{"status":`...), status)
	if cause != "" {
		b = appendJSONString(append(b, `,"cause":`...), cause)
	}
	b = appendJSONString(append(b, `,"version":`...), s.version)
	b = appendJSONString(append(b, `,"node":`...), s.node)
	b = appendJSONString(append(b, `,"store":`...), s.store)
	b = strconv.AppendInt(append(b, `,"uptime":`...), int64(s.uptime()/time.Second), 10)
	b = strconv.AppendInt(append(b, `,"connections":`...), int64(s.admissions.count()), 10)
	return append(b, '}')
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

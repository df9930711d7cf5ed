package server

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"runnel/auth"
	"runnel/streams"
)

// openSSE answers with a feed over the channels.
func (s *Server) openSSE(c echo.Context, claims *auth.Claims, channels []string, start beginning, many bool) error {
	if err := s.requests.pass(claims); err != nil {
		return s.refuseSSE(c, start, err)
	}
	f := s.hub.newFeed(sse{}, claims, newConnectionID(claims.Subject))
	if err := s.admit(&f.admission, c.Request(), claims, &s.open.sse); err != nil {
		return s.refuseSSE(c, start, err)
	}
	subs, err := s.subscribeAll(c.Request().Context(), channels, start, f)
	if err != nil {
		f.admission.release()
		return s.refuseSSE(c, start, err)
	}
	f.carry(subs...)
	id := subs[0].Position().Append(nil)
	if many {
		t := &sseMany{}
		for _, sub := range subs {
			t.cursor.Set(sub.Channel(), sub.Position())
		}
		f.transport, id = t, t.cursor.Append(nil)
	}
	welcome := appendRetry(nil, retrySoon)
	f.control = appendSSE(welcome, "runnel.welcome", s.welcomeJSON(f), id)
	return s.startSSE(c, f)
}

// startSSE takes over the connection and starts the feed. HTTP/1 connections
// are hijacked: the response's own buffers and goroutine would cost six times
// the feed's memory. The body then ends with the connection (RFC 9112 section
// 6.3), which is how HTTP/1.0 proxies need it too.
func (s *Server) startSSE(c echo.Context, f *feed) error {
	h := c.Response().Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	if c.Request().ProtoMajor >= 2 {
		return s.serveSSE(c, f)
	}
	head := responseHead(h)
	conn, _, err := http.NewResponseController(c.Response().Unwrap()).Hijack()
	if err != nil {
		s.abandon(f)
		return err
	}
	f.control = append(head, f.control...)
	outlet, peer := s.hub.takeOver(conn)
	f.outlet = outlet
	ear := &hangUp{feed: f, left: maxHeard}
	if _, polled := outlet.(*descriptor); polled {
		if s.start(f, nil) {
			ear.readable()
		}
	} else {
		s.start(f, func() { ear.wait(peer) })
	}
	return nil
}

// serveSSE serves a feed from the handler, on HTTP/2.
func (s *Server) serveSSE(c echo.Context, f *feed) error {
	outlet := newResponseOutlet(c.Response())
	_ = outlet.control.SetWriteDeadline(time.Time{}) // that of short answers
	f.outlet = outlet
	c.Response().WriteHeader(http.StatusOK)
	gone := c.Request().Context().Done()
	s.start(f, func() {
		select {
		case <-gone:
		case <-outlet.done:
		}
		f.end()
	})
	outlet.wait()
	return nil
}

// start hands the feed to the hub, with what watches its peer if that needs a
// goroutine. A token that was revoked since it was looked at is found here:
// later ones find the feed.
func (s *Server) start(f *feed, watch func()) bool {
	if !s.hub.add(f, watch) {
		f.end()
		return false
	}
	if why := s.standing(f.claims); why != nil {
		f.close(why)
	}
	f.schedule()
	return true
}

// abandon gives up a feed that could not be started.
func (s *Server) abandon(f *feed) {
	closeAll(f.subs)
	f.admission.release()
}

// responseHead is the response's first lines as net/http would write them.
func responseHead(h http.Header) []byte {
	w := &headWriter{b: []byte("HTTP/1.1 200 OK\r\n")}
	h.Set("Connection", "close")
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	h.Write(w)
	return append(w.b, "\r\n"...)
}

type headWriter struct{ b []byte }

func (w *headWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

// refuseSSE answers a client that may come again: an EventSource gives up for
// good at any status but 200, so it gets one, with its position and a time to
// wait. What will not pass is an ordinary error.
func (s *Server) refuseSSE(c echo.Context, start beginning, err error) error {
	e := describe(err)
	if e.status != http.StatusTooManyRequests && e.status < http.StatusInternalServerError {
		return err
	}
	s.note(c, e)
	b := appendRetry(nil, max(retryLater, e.retry))
	b = appendSSE(b, "runnel.error", appendError(nil, e, requestID(c)), safeID(start.given))
	c.Response().Header().Set("X-Accel-Buffering", "no")
	return c.Blob(http.StatusOK, "text/event-stream; charset=utf-8", b)
}

// safeID returns a position as it was given, unless it could not be an ID: it
// would break the line, or is longer than any cursor.
func safeID(given string) []byte {
	if len(given) > streams.MaxCursorLength {
		return nil
	}
	for i := range len(given) {
		if given[i] < ' ' || given[i] > '~' {
			return nil
		}
	}
	return []byte(given)
}

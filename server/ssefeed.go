package server

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"runnel/auth"
)

// openSSE answers with a feed over the channels.
func (s *Server) openSSE(c echo.Context, claims *auth.Claims, channels []string, start beginning, many bool) error {
	if err := s.requests.pass(claims); err != nil {
		return s.refuseSSE(c, channels, start, err)
	}
	t := sse{chunks: c.Request().ProtoMajor == 1 && c.Request().ProtoMinor > 0}
	f := s.hub.newFeed(t, claims, newConnectionID(claims.Subject))
	if err := s.admit(&f.admission, c.Request(), claims, &s.open.sse); err != nil {
		return s.refuseSSE(c, channels, start, err)
	}
	subs, err := s.subscribeAll(c.Request().Context(), channels, start, f)
	if err != nil {
		f.admission.release()
		return s.refuseSSE(c, channels, start, err)
	}
	f.carry(subs...)
	id := subs[0].Position().Append(nil)
	if many {
		t := &sseMany{sse: t}
		for _, sub := range subs {
			t.cursor.Set(sub.Channel(), sub.Position())
		}
		f.transport, id = t, t.cursor.Append(nil)
	}
	f.control = t.blockWithRetry(nil, byChance(retrySoon), "runnel.welcome", s.welcomeJSON(f), id)
	return s.startSSE(c, f)
}

// startSSE takes over the connection and starts the feed. HTTP/1 connections
// are hijacked: the response's own buffers and goroutine would cost six times
// the feed's memory.
func (s *Server) startSSE(c echo.Context, f *feed) error {
	h := c.Response().Header()
	eventStream(h)
	if c.Request().ProtoMajor >= 2 {
		return s.serveSSE(c, f)
	}
	if c.Request().ProtoMinor > 0 {
		h.Set("Transfer-Encoding", "chunked") // else the body ends with the connection (RFC 9112 section 6.3)
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

func eventStream(h http.Header) {
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
}

// serveSSE serves a feed from the handler, on HTTP/2. There a stream that is
// reset was cut, and one that the handler leaves is complete.
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
	if !f.saidFinal() {
		cut(c.Request())
	}
	return nil
}

// cut ends a response without its end: with the connection on HTTP/1, by a reset
// of its stream on HTTP/2. A browser drops what it has not read when that comes,
// so what was said last gets a moment to arrive, as net/http gives it for TCP.
func cut(r *http.Request) {
	if r.ProtoMajor >= 2 {
		select {
		case <-r.Context().Done():
		case <-time.After(beforeReset):
		}
	}
	panic(http.ErrAbortHandler)
}

// beforeReset is longer than the way to a peer takes, mostly.
const beforeReset = 500 * time.Millisecond

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
// wait, and a body that is cut, for at the end of a complete one others give
// up. What will not pass is an ordinary error.
func (s *Server) refuseSSE(c echo.Context, channels []string, start beginning, err error) error {
	e := describe(err)
	if e.status != http.StatusTooManyRequests && e.status < http.StatusInternalServerError {
		return err
	}
	s.note(c, e)
	wait := byChance(max(retryLater, e.retry))
	block := sse{}.blockWithRetry(nil, wait, "runnel.error", appendError(nil, e, requestID(c)), start.id(channels))
	eventStream(c.Response().Header())
	c.Response().WriteHeader(http.StatusOK)
	_ = newResponseOutlet(c.Response()).write(block) // who has gone needs no answer
	cut(c.Request())
	return nil
}

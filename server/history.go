package server

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"runnel/auth"
)

// answerPage answers with a page of one channel, or waits for one.
func (s *Server) answerPage(c echo.Context, query url.Values, claims *auth.Claims, channel string, start beginning) error {
	q, err := readPageQuery(query)
	if err != nil {
		return err
	}
	q.start, q.from = start.of(channel), start.named
	if q.from && !q.before.IsZero() {
		return errBothWays
	}
	q.wait = waitWithin(q.wait, claims)
	ctx, end, err := s.beginPoll(c, claims, q)
	if err != nil {
		return err
	}
	defer end()
	page, held, err := s.readPage(ctx, claims, channel, q)
	defer held.leave()
	if err == nil {
		err = s.stillHolds(claims)
	}
	if err != nil {
		return err
	}
	b := append(make([]byte, 0, page.encodedSize()), '{')
	b = append(page.appendMembers(b, channel), '}')
	held.shrink(len(b))
	return s.answerLong(c, b)
}

// answerLong is answer with a deadline for each piece: a slow peer that moves
// gets all of it, as a feed's does.
func (s *Server) answerLong(c echo.Context, body []byte) error {
	w := c.Response()
	w.Header()["Content-Type"] = typeJSON
	control := http.NewResponseController(w.Writer)
	for piece := range slices.Chunk(body, answerPiece) {
		_ = control.SetWriteDeadline(time.Now().Add(s.limits.AnswerWait))
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// waitWithin ends a wait with the token that it was allowed by.
func waitWithin(wait time.Duration, claims *auth.Claims) time.Duration {
	if claims.Expires.IsZero() {
		return wait
	}
	return min(wait, max(time.Until(claims.Expires), 0))
}

// beginPoll counts a request, one that waits as the connection it is, and
// bounds its time. Waiting without a start has nothing to wait from.
func (s *Server) beginPoll(c echo.Context, claims *auth.Claims, q pageQuery) (ctx context.Context, end func(), err error) {
	leave, err := s.requests.enter(claims)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), historyWait+q.wait)
	if q.wait == 0 || !q.from {
		return ctx, func() { leave(); cancel() }, nil
	}
	leave()
	_ = http.NewResponseController(c.Response().Writer).SetWriteDeadline(time.Now().Add(historyWait + q.wait + s.limits.AnswerWait))
	var a admission
	if err := s.admit(&a, c.Request(), claims, &s.open.poll); err != nil {
		cancel()
		return nil, nil, err
	}
	return ctx, func() { a.release(); cancel() }, nil
}

// readPage reads a page of a channel's history, waiting for its first event
// if the query says so. The caller leaves the room that it takes.
func (s *Server) readPage(ctx context.Context, claims *auth.Claims, channel string, q pageQuery) (*historyPage, *room, error) {
	if !q.from {
		return s.readBack(ctx, claims, channel, q)
	}
	reader, err := s.newPager(ctx, claims.Publisher(), []string{channel}, beginning{other: q.start})
	if err != nil {
		return nil, nil, err
	}
	defer reader.close()
	pages, held, err := reader.read(ctx, q.limit, q.wait)
	if err != nil {
		return nil, nil, err
	}
	return pages[0], held, nil
}

// readBack reads the newest events, or those before a position.
func (s *Server) readBack(ctx context.Context, claims *auth.Claims, channel string, q pageQuery) (*historyPage, *room, error) {
	held, err := s.answers.enter(ctx, claims.Publisher())
	if err != nil {
		return nil, nil, err
	}
	back, err := s.broker.Before(ctx, channel, q.before, q.limit, maxPageBytes)
	if err != nil {
		held.leave()
		return nil, nil, err
	}
	page := &historyPage{events: back.Events, last: back.Position, gap: back.Gap, more: back.More}
	page.keepNewest(channel)
	return page, held, nil
}

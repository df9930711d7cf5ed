package server

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"runnel/auth"
	"runnel/streams"
)

// feed is GET /channels/{channel}/events: a feed for who accepts event
// streams, a page of history for everybody else.
func (s *Server) feed(c echo.Context) error {
	name, err := channelParam(c)
	if err != nil {
		return err
	}
	query, err := readQuery(c.Request())
	if err != nil {
		return err
	}
	return s.read(c, query, []string{name}, false)
}

// feeds is GET /events?channel=…: the same over several channels.
func (s *Server) feeds(c echo.Context) error {
	query, err := readQuery(c.Request())
	if err != nil {
		return err
	}
	return s.read(c, query, distinct(query["channel"]), true)
}

// readQuery reads a request's query: the one place that says what is none.
func readQuery(r *http.Request) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("the query cannot be read")
	}
	return query, nil
}

func (s *Server) read(c echo.Context, query url.Values, channels []string, many bool) error {
	claims, start, err := s.prepareRead(c.Request(), query, channels)
	sse := wantsEvents(c.Request())
	switch {
	case err != nil && sse:
		return s.refuseSSE(c, start, err)
	case err != nil:
		return err
	case sse:
		return s.openSSE(c, claims, channels, start, many)
	case many:
		return s.answerPages(c, query, claims, channels, start)
	}
	return s.answerPage(c, query, claims, channels[0], start)
}

// prepareRead checks who reads what from where.
func (s *Server) prepareRead(r *http.Request, query url.Values, channels []string) (claims *auth.Claims, start beginning, err error) {
	start.given = givenPosition(r, query)
	if s.draining() {
		return nil, start, errDraining
	}
	if claims, err = s.authenticate(r); err != nil {
		return nil, start, err
	}
	if len(channels) == 0 || len(channels) > s.limits.FeedChannels {
		return nil, start, badRequest("channel= has to be given, and at most %d times", s.limits.FeedChannels)
	}
	for _, channel := range channels {
		if err := maySubscribe(claims, channel); err != nil {
			return nil, start, err
		}
	}
	start, err = readBeginning(r, query, len(channels))
	return claims, start, err
}

// wantsEvents reports whether the Accept header names text/event-stream; "*/*"
// does not.
func wantsEvents(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept") {
		for kind := range strings.SplitSeq(line, ",") {
			kind, _, _ = strings.Cut(kind, ";")
			if strings.EqualFold(strings.TrimSpace(kind), "text/event-stream") {
				return true
			}
		}
	}
	return false
}

// distinct drops repeated names, keeping the order.
func distinct(names []string) (once []string) {
	for _, name := range names {
		if !slices.Contains(once, name) {
			once = append(once, name)
		}
	}
	return once
}

const (
	defaultPage = 100
	maxPage     = 1000
	// maxPageBytes ends a page early: answers are held in memory whole.
	maxPageBytes = 1 << 20
	// historyWait is how long a page may take to be read.
	historyWait = 10 * time.Second
	// maxPoll is how long a long-poll may wait, as long as proxies let one.
	maxPoll = 60 * time.Second
)

// pageQuery is which page of history is asked for.
type pageQuery struct {
	start  streams.Start
	from   bool       // there is a start; else the page is before a position
	before streams.ID // zero: the newest
	limit  int
	wait   time.Duration
}

// readPageQuery reads limit=, before= and wait=.
func readPageQuery(query url.Values) (q pageQuery, err error) {
	q.limit = defaultPage
	if limit := query.Get("limit"); limit != "" {
		n, err := strconv.Atoi(limit)
		if err != nil {
			return q, badLimit
		}
		if q.limit, err = checkLimit(n); err != nil {
			return q, err
		}
	}
	if before := query.Get("before"); before != "" {
		if q.before, err = streams.ParseID(before); err != nil {
			return q, err
		}
	}
	if wait := query.Get("wait"); wait != "" {
		if q.wait, err = time.ParseDuration(wait); err != nil || q.wait < 0 || wait == "0" {
			return q, badRequest("wait is a duration such as 25s")
		}
		q.wait = min(q.wait, maxPoll)
	}
	return q, nil
}

var badLimit = badRequest("limit is a number from 1 to %d", maxPage)

func checkLimit(n int) (int, error) {
	if n < 1 || n > maxPage {
		return 0, badLimit
	}
	return n, nil
}

// pageQuery is which page a history message asks for.
func (m *message) pageQuery() (q pageQuery, err error) {
	q.limit = defaultPage
	if m.limit != nil {
		if q.limit, err = checkLimit(*m.limit); err != nil {
			return q, err
		}
	}
	if m.before != "" {
		if q.before, err = streams.ParseID(m.before); err != nil {
			return q, err
		}
	}
	if q.from = m.lastEventID != ""; q.from {
		q.start, err = m.beginning()
	}
	if q.from && m.before != "" {
		err = errBothWays
	}
	return q, err
}

var errBothWays = badRequest("either before or a position to start from, not both")

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
	page, err := s.readPage(ctx, channel, q)
	if err == nil {
		err = s.stillHolds(claims)
	}
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, append(page.appendMembers([]byte{'{'}, channel), '}'))
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
// if the query says so.
func (s *Server) readPage(ctx context.Context, channel string, q pageQuery) (*historyPage, error) {
	if !q.from {
		return s.readBack(ctx, channel, q)
	}
	reader, err := s.newPager(ctx, []string{channel}, beginning{other: q.start})
	if err != nil {
		return nil, err
	}
	defer reader.close()
	pages, err := reader.read(ctx, q.limit, q.wait)
	if err != nil {
		return nil, err
	}
	return pages[0], nil
}

// readBack reads the newest events, or those before a position.
func (s *Server) readBack(ctx context.Context, channel string, q pageQuery) (*historyPage, error) {
	back, err := s.broker.Before(ctx, channel, q.before, q.limit, maxPageBytes)
	if err != nil {
		return nil, err
	}
	return &historyPage{events: back.Events, last: back.Position, gap: back.Gap, more: back.More}, nil
}

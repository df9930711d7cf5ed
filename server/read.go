package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"runnel/auth"
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
	return s.read(c, query, distinct(query["channel"], s.limits.FeedChannels), true)
}

func (s *Server) read(c echo.Context, query url.Values, channels []string, many bool) error {
	claims, start, err := s.prepareRead(c.Request(), query, channels)
	sse := wantsEvents(c.Request())
	switch {
	case err != nil && sse:
		return s.refuseSSE(c, channels, start, err)
	case err != nil:
		return err
	case sse:
		return s.openSSE(c, claims, channels, start, many)
	case many:
		return s.answerPages(c, query, claims, channels, start)
	}
	return s.answerPage(c, query, claims, channels[0], start)
}

// prepareRead checks who reads what from where. The start comes with an error,
// too: whoever is to come again is to begin there.
func (s *Server) prepareRead(r *http.Request, query url.Values, channels []string) (claims *auth.Claims, start beginning, err error) {
	start, wrong := readBeginning(r, query, len(channels))
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
	return claims, start, wrong
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

// distinct drops repeated names, keeping the order. It ends with one more than
// may be: each is compared with all before it, and who asks is not known yet.
func distinct(names []string, most int) (once []string) {
	for _, name := range names {
		if !slices.Contains(once, name) {
			once = append(once, name)
		}
		if len(once) > most {
			break
		}
	}
	return once
}

package server

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"runnel/auth"
	"runnel/streams"
)

// publishEvent is POST /channels/{channel}/events: the body is the event's
// data, as it will be delivered.
func (s *Server) publishEvent(c echo.Context, claims *auth.Claims) error {
	p, err := s.readPublication(c, func(channel string) error { return mayPublish(claims, channel) })
	if err != nil {
		return err
	}
	draft, err := s.draft(claims, p)
	if err != nil {
		return err
	}
	results, err := s.publish(c.Request().Context(), p.channel, draft)
	if err != nil {
		return err
	}
	if err := results[0].Err; err != nil {
		return err
	}
	status := http.StatusCreated
	if p.ephemeral {
		status = http.StatusAccepted
	}
	return answer(c, status, appendPublished(nil, results[0].ID, p.channel))
}

// readPublication reads the request. Its body is not asked for before the
// channel is one that may be published to.
func (s *Server) readPublication(c echo.Context, allowed func(channel string) error) (p *publication, err error) {
	p = &publication{}
	if p.channel, err = channelParam(c); err != nil {
		return nil, err
	}
	if err = allowed(p.channel); err != nil {
		return nil, err
	}
	if p.text, err = isText(c.Request()); err != nil {
		return nil, err
	}
	if err = p.readQuery(c.Request()); err != nil {
		return nil, err
	}
	if p.key, err = idempotencyKey(c.Request()); err != nil {
		return nil, err
	}
	p.data, err = readBody(c, "the data", s.limits.Data)
	return p, err
}

// channelParam is the channel in the request's path. Echo routes by the
// escaped path where there is one (RawPath) and hands out its pieces as they
// stand, else by the path that is unescaped already: once more, %253A became ":".
func channelParam(c echo.Context) (string, error) {
	if c.Request().URL.RawPath == "" {
		return c.Param("channel"), nil
	}
	name, err := url.PathUnescape(c.Param("channel"))
	if err != nil {
		return "", streams.ErrBadChannel
	}
	return name, nil
}

func isText(r *http.Request) (bool, error) {
	const wanted = "application/json or text/plain"
	kind, err := contentType(r, wanted)
	switch {
	case err != nil:
		return false, err
	case kind == "text/plain":
		return true, nil
	case kind == "application/json":
		return false, nil
	}
	return false, fault(codeUnsupportedMedia, "the Content-Type has to be "+wanted)
}

func (p *publication) readQuery(r *http.Request) error {
	query, err := readQuery(r)
	if err != nil {
		return err
	}
	p.event, p.exclude = query.Get("event"), query.Get("exclude")
	p.ephemeral, err = readFlag(query, "ephemeral")
	return err
}

// idempotencyKey returns the header's value. Two of them, or an empty one,
// are refused where draftKey checks it: the sender relies on it.
func idempotencyKey(r *http.Request) (*string, error) {
	switch values := r.Header.Values("Idempotency-Key"); len(values) {
	case 0:
		return nil, nil
	case 1:
		return &values[0], nil
	default:
		return nil, badRequest("there is more than one Idempotency-Key")
	}
}

func appendPublished(b []byte, id streams.ID, channel string) []byte {
	b = appendJSONID(append(b, `{"id":`...), id)
	b = appendJSONString(append(b, `,"channel":`...), channel)
	return append(b, '}')
}

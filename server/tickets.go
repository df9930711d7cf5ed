package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"runnel/auth"
)

// maxTicketRequest holds the names of as many channels as a feed may have.
const maxTicketRequest = 8 << 10

// issueTicket is POST /tickets: a token for a ticket that may stand in a URL.
func (s *Server) issueTicket(c echo.Context, claims *auth.Claims) error {
	if claims.APIKey {
		return forbidden("tickets are for the tokens of users; a server with an API key sends it as bearer")
	}
	channels, err := s.readTicketRequest(c, claims)
	if err != nil {
		return err
	}
	ticket, life, err := s.verifier.IssueTicket(c.Request().Context(), claims, channels)
	if err != nil {
		return err
	}
	body := appendJSONString([]byte(`{"ticket":`), ticket)
	body = strconv.AppendInt(append(body, `,"expires_in":`...), int64(life/time.Second), 10)
	return answer(c, http.StatusCreated, append(body, '}'))
}

// readTicketRequest returns the channels that the ticket is to be bound to,
// none when the body is empty. A list that is empty or misspelt is an error:
// it would give a ticket that opens everything.
func (s *Server) readTicketRequest(c echo.Context, claims *auth.Claims) ([]string, error) {
	body, err := readBody(c, "the body", maxTicketRequest)
	if err != nil || len(body) == 0 {
		return nil, err
	}
	if kind, err := contentType(c.Request(), "application/json"); err != nil {
		return nil, err
	} else if kind != "application/json" {
		return nil, fault(codeUnsupportedMedia, "the Content-Type has to be application/json")
	}
	var channels []string
	members := []member{{name: "channels", place: &channels}}
	if err := readObject(body, members); err != nil {
		return nil, err
	}
	if !members[0].given {
		return nil, nil
	}
	if n := len(channels); n == 0 || n > s.limits.FeedChannels {
		return nil, badRequest("channels names 1 to %d channels", s.limits.FeedChannels)
	}
	for _, channel := range channels {
		if err := maySubscribe(claims, channel); err != nil {
			return nil, err
		}
	}
	return channels, nil
}

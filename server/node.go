package server

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"

	"runnel/streams"
)

// maxReaders is how many readers of a channel are told: enough to find a
// slow one among, and an answer of a few dozen kilobytes.
const maxReaders = 200

// nodeRoutes are what operators ask about a node.
func nodeRoutes(e *echo.Echo, s *Server, m ...echo.MiddlewareFunc) {
	e.GET("/node", s.nodeFigures, m...)
	e.GET("/channels", s.listChannels, m...)
	e.GET("/channels/:channel", s.showChannel, m...)
}

// nodeFigures is GET /node.
func (s *Server) nodeFigures(c echo.Context) error {
	return answerJSON(c, s.Figures())
}

// hereJSON is what this node knows of a channel.
type hereJSON struct {
	Readers     int     `json:"readers"`
	LastEventID *string `json:"last_event_id"`
	TailEvents  int     `json:"tail_events"`
	TailBytes   int     `json:"tail_bytes"`
	Lag         uint64  `json:"lag"`
}

func here(st streams.ChannelState) hereJSON {
	return hereJSON{st.Readers, orNull(st.Last), st.Events, st.Bytes, st.Behind}
}

// logJSON is what the log has of a channel.
type logJSON struct {
	Used   bool    `json:"used"` // it has had an event, as far as the log remembers
	Base   *string `json:"base"`
	First  *string `json:"first"`
	Last   *string `json:"last"`
	Events uint64  `json:"events"`
}

// shownChannel is a channel looked into.
type shownChannel struct {
	Channel string       `json:"channel"`
	Log     logJSON      `json:"log"`
	Node    string       `json:"node"`
	Here    *hereJSON    `json:"here"` // null: no reader on this node
	Readers []readerJSON `json:"readers"`
	More    bool         `json:"more"` // there are more readers
}

type readerJSON struct {
	Connection string `json:"connection,omitempty"`
	Transport  string `json:"transport"`
	User       string `json:"user,omitempty"`
	Key        string `json:"key,omitempty"` // an API key's name
	Position   string `json:"position"`
	Lag        uint64 `json:"lag"`
}

// showChannel is GET /channels/{channel}.
func (s *Server) showChannel(c echo.Context) error {
	channel, err := channelParam(c)
	if err != nil {
		return err
	}
	if err := streams.ValidChannel(channel); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), historyWait)
	defer cancel()
	kept, err := s.broker.Retained(ctx, channel)
	if err != nil {
		return err
	}
	shown := shownChannel{
		Channel: channel, Node: s.node,
		Log: logJSON{kept.Last.N > 0, orNull(kept.Base), orNull(kept.First), orNull(kept.Last), kept.Events()},
	}
	if state, followed := s.broker.Channel(channel); followed {
		known := here(state)
		shown.Here = &known
	}
	shown.Readers, shown.More = s.readers(channel)
	return answerJSON(c, shown)
}

func (s *Server) readers(channel string) ([]readerJSON, bool) {
	found, more := s.broker.Readers(channel, maxReaders)
	readers := make([]readerJSON, 0, len(found))
	for _, r := range found {
		shown := readerJSON{Transport: "poll", Position: r.Position.String(), Lag: r.Behind}
		if f, ok := r.Waiter.(*feed); ok {
			s.whose(f, &shown)
		}
		readers = append(readers, shown)
	}
	return readers, more
}

// whose says who reads with a feed.
func (s *Server) whose(f *feed, shown *readerJSON) {
	f.mu.Lock()
	defer f.mu.Unlock()
	shown.Connection, shown.Transport = f.id, "websocket"
	if f.admission.open == &s.open.sse {
		shown.Transport = "sse"
	}
	if f.claims != nil {
		shown.User, shown.Key = f.claims.Subject, f.claims.KeyName
	}
}

// orNull is how an ID that is not known stands in JSON.
func orNull(id streams.ID) *string {
	if id.IsZero() {
		return nil
	}
	text := id.String()
	return &text
}

func answerJSON(c echo.Context, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, body)
}

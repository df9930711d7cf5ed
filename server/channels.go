package server

import (
	"context"

	"github.com/labstack/echo/v4"

	"runnel/streams"
)

// channelJSON is a channel in the list of those that the node follows.
type channelJSON struct {
	Channel string `json:"channel"`
	hereJSON
}

// storedJSON is one in the list of those that the log has.
type storedJSON struct {
	Channel     string `json:"channel"`
	LastEventID string `json:"last_event_id"`
	Events      int    `json:"events"`
	Readers     int    `json:"readers"` // on this node
}

// channelList is a page of either list.
type channelList[T any] struct {
	Node     string  `json:"node"`
	Channels []T     `json:"channels"`
	More     bool    `json:"more"`
	Next     *string `json:"next"` // what after= takes for the next page
}

// listChannels is GET /channels.
func (s *Server) listChannels(c echo.Context) error {
	query, err := readQuery(c.Request())
	if err != nil {
		return err
	}
	asked := streams.Listing{Prefix: query.Get("prefix"), After: query.Get("after")}
	if asked.Limit, err = readLimit(query); err != nil {
		return err
	}
	stored, err := readFlag(query, "stored")
	switch {
	case err != nil:
		return err
	case stored:
		return s.listStored(c, asked)
	}
	return s.listFollowed(c, asked)
}

func (s *Server) listFollowed(c echo.Context, asked streams.Listing) error {
	page, more := s.broker.Channels(asked.Prefix, asked.After, asked.Limit)
	list := channelList[channelJSON]{Node: s.node, Channels: make([]channelJSON, 0, len(page)), More: more}
	for _, st := range page {
		list.Channels = append(list.Channels, channelJSON{st.Name, here(st)})
	}
	if more {
		list.Next = &page[len(page)-1].Name
	}
	return answerJSON(c, list)
}

func (s *Server) listStored(c echo.Context, asked streams.Listing) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), historyWait)
	defer cancel()
	page, err := s.broker.Stored(ctx, asked)
	if err != nil {
		return err
	}
	list := channelList[storedJSON]{Node: s.node, Channels: make([]storedJSON, 0, len(page.Channels)), More: page.Next != ""}
	for _, st := range page.Channels {
		known, _ := s.broker.Channel(st.Name)
		list.Channels = append(list.Channels, storedJSON{st.Name, st.Last.String(), st.Events, known.Readers})
	}
	if list.More {
		list.Next = &page.Next
	}
	return answerJSON(c, list)
}

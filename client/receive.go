package client

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/r3labs/sse/v2"
)

// take handles one block. Blocks that were read before the connection was
// given up still come; they are left to the next one.
func (c *connection) take(m *sse.Event) {
	if c.ctx.Err() != nil {
		return
	}
	if ms, err := strconv.ParseUint(string(m.Retry), 10, 31); err == nil {
		c.feed.retry = time.Duration(ms) * time.Millisecond
	}
	if len(m.Data) == 0 { // a comment, or retry alone: an event's data is never empty
		return
	}
	if err := c.dispatch(m); err != nil {
		c.feed.stopped = err
		c.cancel(err)
		return
	}
	// Reached only now. A block without an id comes with that of the block
	// before; the id of an error is what the client asked for.
	if len(m.ID) > 0 && c.feed.told == nil {
		c.feed.position = string(m.ID)
	}
}

func (c *connection) dispatch(m *sse.Event) error {
	switch kind := string(m.Event); kind {
	case "runnel.welcome":
		c.welcome(m)
	case "runnel.gap":
		return c.gap(m)
	case "runnel.expiring":
		c.feed.client.tokens.drop(c.ctx, c.feed.token) // for the next connection
	case "runnel.error":
		c.refused(m)
	default:
		// Of the hub's own, a heartbeat did its work by arriving, a position
		// is its id, and what is not known yet does no harm.
		if !strings.HasPrefix(kind, "runnel.") {
			return c.event(m)
		}
	}
	return nil
}

func (c *connection) welcome(m *sse.Event) {
	var w struct {
		Connection string  `json:"connection"`
		User       string  `json:"user"`
		Node       string  `json:"node"`
		Heartbeat  float64 `json:"heartbeat"` // seconds
	}
	if err := json.Unmarshal(m.Data, &w); err != nil {
		c.feed.client.log.Warn("a welcome that is not understood", "cause", err)
	}
	if w.Heartbeat > 0 {
		c.dog.patience.Store(int64(2 * w.Heartbeat * float64(time.Second)))
	}
	f := c.feed
	f.everGood, f.renewed = true, false
	f.backoff.Reset()
	f.state(State{Connection: w.Connection, User: w.User, Node: w.Node, Position: string(m.ID)})
}

// refused notes why the hub is about to end the connection.
func (c *connection) refused(m *sse.Event) {
	var w wireError
	if err := json.Unmarshal(m.Data, &w); err != nil {
		w = wireError{Code: "unavailable", Message: string(m.Data)}
	}
	c.feed.told = w.toError()
}

func (c *connection) gap(m *sse.Event) error {
	g := Gap{Position: string(m.ID)}
	if err := json.Unmarshal(m.Data, &g); err != nil {
		return fmt.Errorf("a gap that is not understood: %w", err)
	}
	if c.feed.handler.Gap == nil {
		c.feed.client.log.Warn("events are missing", "channel", g.Channel, "reason", g.Reason)
		return nil
	}
	return c.feed.handler.Gap(g)
}

func (c *connection) event(m *sse.Event) error {
	if len(c.feed.channels) == 1 {
		return c.feed.handler.Event(c.plain(m))
	}
	e, err := enveloped(m)
	if err != nil {
		return fmt.Errorf("an event that is not understood: %w", err)
	}
	return c.feed.handler.Event(e)
}

// plain reads an event of a feed over one channel, whose data are the
// published bytes: whether they were published as text cannot be told where
// they look like JSON.
func (c *connection) plain(m *sse.Event) Event {
	e := Event{
		Channel:  c.feed.channels[0],
		Type:     string(m.Event),
		Data:     m.Data,
		Text:     !json.Valid(m.Data),
		Position: string(m.ID),
	}
	if e.Ephemeral = e.Position == c.feed.position; !e.Ephemeral {
		e.ID = e.Position
		e.Time = timeOf(e.ID)
	}
	return e
}

// enveloped reads an event of a feed over several channels.
func enveloped(m *sse.Event) (Event, error) {
	var v struct {
		Channel string          `json:"channel"`
		ID      string          `json:"id"`
		Type    string          `json:"event"`
		Data    json.RawMessage `json:"data"`
		Text    *string         `json:"text"`
		From    string          `json:"from"`
	}
	if err := json.Unmarshal(m.Data, &v); err != nil {
		return Event{}, err
	}
	e := Event{Channel: v.Channel, ID: v.ID, Type: v.Type, Data: v.Data, From: v.From, Position: string(m.ID)}
	if v.Text != nil {
		e.Text, e.Data = true, []byte(*v.Text)
	}
	if e.Type == "message" {
		e.Type = ""
	}
	e.Ephemeral = e.ID == ""
	e.Time = timeOf(e.ID)
	return e, nil
}

// timeOf reads an ID's milliseconds; the zero time for what is none.
func timeOf(id string) time.Time {
	ms, _, _ := strings.Cut(id, "-")
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

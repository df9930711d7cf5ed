package client

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// take handles one block; an error is a callback's.
func (c *connection) take(m *message) error {
	if m.retry > 0 {
		c.feed.retry = m.retry
	}
	if len(m.data) == 0 { // none of the hub's blocks is without data
		return nil
	}
	if err := c.dispatch(m); err != nil {
		return err
	}
	// Reached only now. The id of an error is what the client asked for.
	if m.id != "" && c.feed.told == nil {
		c.feed.position = m.id
	}
	return nil
}

func (c *connection) dispatch(m *message) error {
	switch m.kind {
	case "runnel.welcome":
		c.welcome(m)
	case "runnel.gap":
		return c.gap(m)
	case "runnel.expiring":
		c.feed.client.tokens.drop(c.ctx, c.feed.token) // for the next connection
	case "runnel.draining":
		c.cancel(errDraining) // its retry counts; nothing more comes
	case "runnel.error":
		c.refused(m)
	default:
		// Of the hub's own, a heartbeat did its work by arriving, a position
		// is its id, and what is not known yet does no harm.
		if !strings.HasPrefix(m.kind, "runnel.") {
			return c.event(m)
		}
	}
	return nil
}

func (c *connection) welcome(m *message) {
	var w struct {
		Connection string  `json:"connection"`
		User       string  `json:"user"`
		Node       string  `json:"node"`
		Heartbeat  float64 `json:"heartbeat"` // seconds
	}
	if err := json.Unmarshal(m.data, &w); err != nil {
		c.feed.client.log.Warn("a welcome that is not understood", "cause", err)
	}
	if w.Heartbeat > 0 {
		c.dog.patience.Store(int64(2 * w.Heartbeat * float64(time.Second)))
	}
	f := c.feed
	f.everGood, f.renewed = true, false
	f.backoff.reset()
	f.state(State{Connection: w.Connection, User: w.User, Node: w.Node, Position: c.after(m)})
}

// refused notes why the hub is about to end the connection.
func (c *connection) refused(m *message) {
	var w wireError
	if err := json.Unmarshal(m.data, &w); err != nil {
		w = wireError{Code: "unavailable", Message: string(m.data)}
	}
	c.feed.told = w.toError()
}

func (c *connection) gap(m *message) error {
	g := Gap{Position: c.after(m)}
	if err := json.Unmarshal(m.data, &g); err != nil {
		return fmt.Errorf("a gap that is not understood: %w", err)
	}
	if c.feed.handler.Gap == nil {
		c.feed.client.log.Warn("events are missing", "channel", g.Channel, "reason", g.Reason)
		return nil
	}
	return c.feed.handler.Gap(g)
}

func (c *connection) event(m *message) error {
	if len(c.feed.channels) == 1 {
		return c.feed.handler.Event(c.plain(m))
	}
	e, err := enveloped(m)
	e.Position = c.after(m)
	if err != nil {
		return fmt.Errorf("an event that is not understood: %w", err)
	}
	return c.feed.handler.Event(e)
}

// after is where the feed stands after a block: one without an id leaves it
// where it was.
func (c *connection) after(m *message) string {
	if m.id == "" {
		return c.feed.position
	}
	return m.id
}

// plain reads an event of a feed over one channel, whose data are the
// published bytes: whether they were published as text cannot be told where
// they look like JSON.
func (c *connection) plain(m *message) Event {
	e := Event{
		Channel:  c.feed.channels[0],
		Type:     m.kind,
		Data:     m.data,
		Text:     !json.Valid(m.data),
		ID:       m.id,
		Time:     timeOf(m.id),
		Position: c.after(m),
	}
	e.Ephemeral = e.ID == ""
	return e
}

// enveloped reads an event of a feed over several channels.
func enveloped(m *message) (Event, error) {
	var v struct {
		Channel string          `json:"channel"`
		ID      string          `json:"id"`
		Type    string          `json:"event"`
		Data    json.RawMessage `json:"data"`
		Text    *string         `json:"text"`
		From    string          `json:"from"`
	}
	if err := json.Unmarshal(m.data, &v); err != nil {
		return Event{}, err
	}
	e := Event{Channel: v.Channel, ID: v.ID, Type: v.Type, Data: v.Data, From: v.From}
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

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"runnel/client"
)

// subscribeCommand prints events until ctx ends, or --count of them.
type subscribeCommand struct {
	hubFlags
	Channels []string `arg:"" help:"What to subscribe to; several share one connection."`

	JSON  bool `name:"json" help:"Print each event as a line of JSON with channel, ID, type and time, and each gap."`
	Count int  `placeholder:"N" help:"End after so many events."`

	LastEventID string `group:"start" name:"last-event-id" xor:"start" placeholder:"ID" help:"After this event; 'earliest' for all that is kept; of several channels the position that --json prints."`
	Since       string `group:"start" xor:"start" placeholder:"TIME" help:"With the events of the last 10m, or since 2026-01-31T12:00:00Z."`
	Rewind      int    `group:"start" xor:"start" placeholder:"N" help:"With the last so many events."`
}

var errCounted = errors.New("as many events as were asked for")

// Run prints events; to be interrupted is how it usually ends, and no error.
func (c *subscribeCommand) Run(s *surroundings) error {
	if err := c.check(); err != nil {
		return err
	}
	hub, err := c.connect(s)
	if err != nil {
		return err
	}
	defer hub.Close()
	p := &printer{out: s.stdout, notes: s.stderr, json: c.JSON, left: c.Count}
	start := client.Start{LastEventID: c.LastEventID, Since: c.Since, Rewind: c.Rewind}
	err = hub.Subscribe(s.ctx, c.Channels, start, client.Handler{Event: p.event, Gap: p.gap})
	if errors.Is(err, errCounted) || s.ctx.Err() != nil && errors.Is(err, s.ctx.Err()) {
		return nil
	}
	return err
}

func (c *subscribeCommand) check() error {
	switch {
	case c.Count < 0:
		return usage("--count: %d is no number of events; leave it out for no end", c.Count)
	case c.Rewind < 0:
		return usage("--rewind: %d is no number of events", c.Rewind)
	}
	return checkChannels(c.Channels...)
}

// printer writes events and gaps as they come.
type printer struct {
	out, notes io.Writer
	json       bool
	left       int // events until the end; 0 for none
}

func (p *printer) event(e client.Event) error {
	if err := p.print(e); err != nil {
		return err
	}
	if p.left--; p.left == 0 {
		return errCounted
	}
	return nil
}

func (p *printer) print(e client.Event) error {
	if p.json {
		return p.line(enveloped(e))
	}
	_, err := p.out.Write(append(bytes.Clone(e.Data), '\n'))
	return err
}

func (p *printer) gap(g client.Gap) error {
	if p.json {
		return p.line(struct {
			Type string `json:"type"`
			client.Gap
		}{"gap", g})
	}
	missed := "an unknown number of events"
	if g.Missed != nil {
		missed = fmt.Sprintf("%d events", *g.Missed)
	}
	_, err := fmt.Fprintf(p.notes, "runnel: gap in %s: %s missed (%s), on after %s\n", g.Channel, missed, g.Reason, g.LastEventID)
	return err
}

// line writes v as one line of JSON.
func (p *printer) line(v any) error {
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// envelope is an event as feeds over several channels and WebSockets have it.
type envelope struct {
	Type     string          `json:"type"`
	Channel  string          `json:"channel"`
	ID       *string         `json:"id"`
	Event    string          `json:"event"`
	Data     json.RawMessage `json:"data,omitempty"`
	Text     *string         `json:"text,omitempty"`
	From     string          `json:"from,omitempty"`
	Time     string          `json:"time,omitempty"`
	Position string          `json:"position,omitempty"` // only where it is not the ID
}

func enveloped(e client.Event) envelope {
	v := envelope{Type: "event", Channel: e.Channel, Event: e.Type, From: e.From}
	if v.Event == "" {
		v.Event = "message"
	}
	if e.ID != "" {
		v.ID, v.Time = &e.ID, e.Time.Format("2006-01-02T15:04:05.000Z07:00")
	}
	if e.Position != e.ID {
		v.Position = e.Position
	}
	if text := string(e.Data); e.Text {
		v.Text = &text
	} else {
		v.Data = e.Data
	}
	return v
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"runnel/client"
)

// publishCommand publishes one event, or one for each line of stdin.
type publishCommand struct {
	hubFlags
	Channel string  `arg:"" help:"Where to publish."`
	Data    *string `arg:"" optional:"" help:"The event's data: a JSON object or array is published as JSON, all else as text. Without it, each line of standard input is an event, as text."`

	Event     string `placeholder:"TYPE" help:"The events' type (message): up to 128 bytes, without white space at the ends or characters that are not seen."`
	JSON      bool   `name:"json" xor:"form" help:"The data, or each line, is JSON."`
	Text      bool   `xor:"form" help:"The data is text, whatever it looks like."`
	Key       string `placeholder:"KEY" help:"Idempotency key of a single event: repeated within 5 minutes it publishes nothing more."`
	Ephemeral bool   `help:"Deliver to those who listen now, store nothing."`
	// Longer than a restart of the hub, and no longer than a script wants to hang.
	Timeout *time.Duration `placeholder:"TIME" help:"For how long a single event is tried where the hub is away (30s)."`
}

// Run publishes until there is no more, or ctx ends.
func (p *publishCommand) Run(s *surroundings) error {
	if err := p.check(); err != nil {
		return err
	}
	c, err := p.connect(s)
	if err != nil {
		return err
	}
	defer c.Close()
	if p.Data == nil {
		return p.lines(s, c)
	}
	ctx, cancel := p.patience(s.ctx)
	defer cancel()
	id, err := c.Publish(ctx, p.Channel, p.event([]byte(*p.Data), p.asJSON()))
	if err != nil {
		return err
	}
	if id != "" {
		_, err = fmt.Fprintln(s.stdout, id)
	}
	return err
}

const defaultPatience = 30 * time.Second

// patience ends ctx when a single event has been tried for long enough.
func (p *publishCommand) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	long := defaultPatience
	if p.Timeout != nil {
		long = *p.Timeout
	}
	return context.WithTimeoutCause(ctx, long, fmt.Errorf("given up after %s, see --timeout", spoken(long)))
}

func (p *publishCommand) check() error {
	switch {
	case p.Data == nil && p.Timeout != nil:
		return usage("--timeout is for a single event; lines of standard input are tried for as long as it takes")
	case p.Timeout != nil && *p.Timeout <= 0:
		return usage("--timeout: %s is too short; write how long to try, such as 30s", spoken(*p.Timeout))
	case p.Data == nil && p.Key != "":
		return usage("--key is for a single event; lines of standard input have keys of their own")
	case p.Data != nil && *p.Data == "":
		return usage("<data> is empty; an event has data")
	case p.Data != nil && p.JSON && !json.Valid([]byte(*p.Data)):
		return usage("<data> is not JSON; leave out --json to publish it as text")
	}
	return checkChannels(p.Channel)
}

// asJSON reports whether <data> is published as JSON: asked for, or an object or
// array and not asked for as text. A number or a word in quotes may well be text.
func (p *publishCommand) asJSON() bool {
	data := strings.TrimLeft(*p.Data, " \t\r\n") // other white space is none in JSON
	return p.JSON || !p.Text && (strings.HasPrefix(data, "{") || strings.HasPrefix(data, "[")) && json.Valid([]byte(data))
}

func (p *publishCommand) event(data []byte, asJSON bool) client.Event {
	return client.Event{Channel: p.Channel, Type: p.Event, Data: data, Text: !asJSON, Key: p.Key, Ephemeral: p.Ephemeral}
}

// lines publishes stdin. While one batch is on its way the next fills up, so
// that a slow pipe is passed on line by line and a fast one by the thousand.
func (p *publishCommand) lines(s *surroundings, c *client.Client) error {
	ctx, cancel := context.WithCancel(s.ctx)
	in := readLines(ctx, s.stdin)
	t := tally{surroundings: s}
	var err error
	for batch := range in.batches {
		if err = p.publish(ctx, c, batch, &t); err != nil {
			break
		}
	}
	cancel()
	t.unread += in.wait()
	return t.report(p.Channel, err, in.err)
}

// publish sends a batch and counts what became of it; an error means that to
// go on makes no sense.
func (p *publishCommand) publish(ctx context.Context, c *client.Client, batch []line, t *tally) error {
	events := make([]client.Event, 0, len(batch))
	sent := make([]line, 0, len(batch))
	for _, l := range batch {
		if l.tooLong {
			t.refuse(l, errLongLine)
			continue
		}
		events, sent = append(events, p.event(l.data, p.JSON)), append(sent, l)
	}
	results, err := c.PublishBatch(ctx, events)
	for i, r := range results {
		switch {
		case r.Err == nil:
			t.published++
		case err != nil:
			t.unread++
		case errors.Is(r.Err, client.ErrForbidden), errors.Is(r.Err, client.ErrUnauthorized):
			t.unread += len(results) - i
			return r.Err // as it is for all that follow
		default:
			t.refuse(sent[i], r.Err)
		}
	}
	return err
}

// tally counts what became of the lines.
type tally struct {
	*surroundings
	published, refused, unread int
}

func (t *tally) refuse(l line, err error) {
	t.refused++
	fmt.Fprintf(t.stderr, "runnel: line %d is not published: %v\n", l.number, err)
}

// report says how many lines were published, and returns what the command ends
// with: what stopped it, what stopped the reading, or that lines were refused.
func (t *tally) report(channel string, stopped, reading error) error {
	fmt.Fprintf(t.stderr, "runnel: published %d to %s\n", t.published, channel)
	switch {
	case stopped != nil:
		return fmt.Errorf("%w; lines that were read and are not known to be published: %d", stopped, t.unread)
	case reading != nil:
		return fmt.Errorf("standard input: %w", reading)
	case t.unread > 0:
		return fmt.Errorf("interrupted; lines that were read and not published: %d", t.unread)
	case t.refused > 0:
		return fmt.Errorf("lines that are not published: %d", t.refused)
	}
	return nil
}

package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Subscribe calls h back with the events of the channels from start on, in
// the order of each channel, and connects again for as long as it takes,
// whatever ends a connection. It returns when ctx ends, with its error; when
// a callback returns an error, with that; and with an *Error at what no
// repetition mends: a request that the hub calls wrong, missing rights, or a
// token that the hub does not take (Options.TokenFunc is asked for another one
// first).
//
// One channel's positions are event IDs; those of several channels are
// cursors, which stand for all of them.
func (c *Client) Subscribe(ctx context.Context, channels []string, start Start, h Handler) error {
	if len(channels) == 0 || h.Event == nil {
		return &Error{Code: "bad_request", Message: "a subscription needs a channel and a handler of events"}
	}
	f := &feed{client: c, channels: channels, start: start, handler: h, backoff: c.newBackoff()}
	for {
		err := f.connect(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if f.stopped != nil {
			return f.stopped
		}
		if !f.mayRetry(ctx, err) {
			return err
		}
		if err := f.pause(ctx, err); err != nil {
			return err
		}
	}
}

// feed is one subscription over all of its connections. It belongs to the
// goroutine that called Subscribe.
type feed struct {
	client   *Client
	channels []string
	start    Start
	handler  Handler

	position string        // reached; "" before the first welcome
	retry    time.Duration // what the hub asked for, jittered by it
	backoff  *backoff
	everGood bool  // there was a welcome
	renewed  bool  // a new token was asked for since the last welcome
	stopped  error // of a callback
	told     error // what the hub itself said was wrong with this connection
	token    string
}

// connect runs one connection and says why it ended.
func (f *feed) connect(ctx context.Context) error {
	f.told = nil
	token, err := f.client.tokens.get(ctx)
	if err != nil {
		return err
	}
	f.token = token
	conn := f.newConnection(ctx)
	defer conn.close()
	err = conn.read()
	if f.told != nil {
		return f.told
	}
	return err
}

// url asks for the start until a position is known; from then on the
// Last-Event-ID header goes before it.
func (f *feed) url() string {
	q := url.Values{}
	u := f.client.base + "/events"
	if len(f.channels) == 1 {
		u = f.client.channelURL(f.channels[0])
	} else {
		q["channel"] = f.channels
	}
	switch s := f.start; {
	case f.position != "":
	case s.LastEventID != "":
		q.Set("last_event_id", s.LastEventID)
	case s.Since != "":
		q.Set("since", s.Since)
	case s.Rewind > 0:
		q.Set("rewind", strconv.Itoa(s.Rewind))
	}
	if len(q) == 0 {
		return u
	}
	return u + "?" + q.Encode()
}

// mayRetry reports whether another attempt can go better than the one that
// ended with err. A 401 is worth one new token.
func (f *feed) mayRetry(ctx context.Context, err error) bool {
	if errors.Is(err, ErrUnauthorized) && !f.renewed {
		f.renewed = true
		return f.client.tokens.drop(ctx, f.token)
	}
	var hub *Error
	if !errors.As(err, &hub) {
		return outcomeOf(err) != refused
	}
	switch hub.Code {
	case "bad_request", "unauthorized", "forbidden", "not_found", "too_large":
		return false
	}
	switch hub.Status {
	case http.StatusOK: // some other server, perhaps in the hub's place for a while
		return f.everGood
	case 0, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true // 0: said within a feed, where only what passes is said
	}
	return hub.Status >= 500
}

// pause tells the handler and waits: as long as the hub asked for, longer with
// every failure.
func (f *feed) pause(ctx context.Context, cause error) error {
	wait := max(f.backoff.next(), f.retry)
	if a := after(cause); a > 0 {
		wait = max(wait, jitter(a))
	}
	wait = min(wait, f.client.times.longest)
	if errors.Is(cause, ErrUnauthorized) {
		wait = 0 // a new token comes first, and once
	}
	what := "no feed yet, trying again"
	if f.everGood {
		what = "the feed ended, going on"
	}
	f.client.log.Info(what, "channels", strings.Join(f.channels, " "), "position", f.position, "in", rounded(wait), "cause", cause)
	f.state(State{Position: f.position, Cause: cause, Retry: wait})
	return sleep(ctx, wait)
}

func (f *feed) state(s State) {
	if f.handler.State != nil {
		f.handler.State(s)
	}
}

package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/r3labs/sse/v2"
	"gopkg.in/cenkalti/backoff.v1"
)

var errEnded = errors.New("the hub ended the feed")

// connection is one request of a feed, read by r3labs/sse. That client has a
// reconnecting loop of its own, which stays unused: it takes a clean end for
// the last one, counts what was read as reached, and ignores the hub's retry.
type connection struct {
	feed   *feed
	ctx    context.Context
	cancel context.CancelCauseFunc
	dog    *watchdog
	events *sse.Client
}

func (f *feed) newConnection(parent context.Context) *connection {
	ctx, cancel := context.WithCancelCause(parent)
	c := &connection{feed: f, ctx: ctx, cancel: cancel}
	c.dog = newWatchdog(f.client.times.patience, cancel)
	limit := blockLimit(f.client.max)
	// Twice: the scanner wants a full buffer to hold the block and what was read behind it.
	c.events = sse.NewClient(f.url(), sse.ClientMaxBufferSize(2*limit))
	c.events.ReconnectStrategy = backoff.WithContext(&backoff.StopBackOff{}, ctx)
	c.events.ResponseValidator = validate
	c.events.Connection = c.http(limit)
	if f.position != "" {
		c.events.LastEventID.Store([]byte(f.position)) // in Headers it would hide newer ones
	}
	if f.token != "" {
		c.events.Headers["Authorization"] = "Bearer " + f.token
	}
	return c
}

// blockLimit is the size that a block with n bytes of data can have: a text of
// line feeds takes seven bytes for each ("data: " before it), control
// characters in an envelope take six, and around them stand the type, the
// user, the channel and a cursor of up to 1 KiB.
func blockLimit(n int) int { return 7*n + 8<<10 }

func (c *connection) http(limit int) *http.Client {
	h := *c.feed.client.http
	h.Transport = &feedTransport{base: h.Transport, dog: c.dog, max: limit}
	return &h
}

// read calls the feed's handler until the connection ends, and says why it
// did; never nil.
func (c *connection) read() error {
	err := c.events.SubscribeRawWithContext(c.ctx, c.take)
	if cause := context.Cause(c.ctx); cause != nil {
		return cause
	}
	if err == nil {
		return errEnded
	}
	return err
}

func (c *connection) close() {
	c.cancel(nil)
	c.dog.rest()
}

// validate closes the body of what is no feed: the library leaves it open.
func validate(_ *sse.Client, r *http.Response) error {
	kind := r.Header.Get("Content-Type")
	if r.StatusCode == http.StatusOK && strings.HasPrefix(kind, "text/event-stream") {
		return nil
	}
	defer r.Body.Close()
	err := responseError(r)
	if r.StatusCode == http.StatusOK {
		err.Message = fmt.Sprintf("not a hub's feed but %q", kind)
	}
	return backoff.Permanent(err)
}

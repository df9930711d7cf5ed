package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Ways in which a connection ends. The hub cuts a feed that is to be opened
// again; one that it has ended is opened again, too: a proxy may make a proper
// end of a cut, and the hub itself says when there is no use.
var (
	errEnded    = errors.New("the hub ended the feed")
	errCut      = errors.New("the connection was cut")
	errDraining = errors.New("the node is draining")
	errSilent   = errors.New("the hub has been silent for too long")
	errTooLarge = &Error{Code: "too_large", Message: "an event is larger than the client accepts (Options.MaxEvent)"}
)

// connection is one request of a feed.
type connection struct {
	feed   *feed
	ctx    context.Context
	cancel context.CancelCauseFunc
	dog    *watchdog
}

func (f *feed) newConnection(parent context.Context) *connection {
	ctx, cancel := context.WithCancelCause(parent)
	return &connection{feed: f, ctx: ctx, cancel: cancel, dog: newWatchdog(f.client.times.patience, cancel)}
}

func (c *connection) close() {
	c.cancel(nil)
	c.dog.rest()
}

// blockLimit is the size that a block with n bytes of data can have: a text of
// line feeds takes seven bytes for each ("data: " before it), control
// characters in an envelope take six, and around them stand the type, the
// user, the channel and a cursor of up to 1 KiB.
func blockLimit(n int) int { return 7*n + 8<<10 }

// read calls the feed's handler until the connection ends, and says why it
// did; never nil.
func (c *connection) read() error {
	err := c.receive()
	if cause := context.Cause(c.ctx); cause != nil {
		return cause
	}
	switch {
	case errors.Is(err, io.EOF):
		return errEnded
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errCut
	}
	return err
}

func (c *connection) receive() error {
	resp, err := c.open()
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	s := newStream(watched{resp.Body, c.dog}, blockLimit(c.feed.client.max))
	for {
		m, err := s.next()
		if err != nil {
			return err
		}
		if c.ctx.Err() != nil {
			return c.ctx.Err() // what was read and not handled is left to the next connection
		}
		if err := c.take(&m); err != nil {
			c.feed.stopped = err
			return err
		}
	}
}

// open makes the request; the body that it returns is a feed.
func (c *connection) open() (*http.Response, error) {
	r, err := http.NewRequestWithContext(c.ctx, http.MethodGet, c.feed.url(), nil)
	if err != nil {
		return nil, &Error{Code: "bad_request", Message: err.Error()}
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Cache-Control", "no-cache")
	if c.feed.position != "" {
		r.Header.Set("Last-Event-ID", c.feed.position)
	}
	c.dog.arm()
	resp, err := c.feed.client.do(r, c.feed.token)
	c.dog.rest()
	if err != nil {
		return nil, err
	}
	kind := resp.Header.Get("Content-Type")
	if resp.StatusCode == http.StatusOK && strings.HasPrefix(kind, "text/event-stream") {
		return resp, nil
	}
	defer resp.Body.Close()
	refusal := responseError(resp)
	if resp.StatusCode == http.StatusOK {
		refusal.Message = fmt.Sprintf("not a hub's feed but %q", kind)
	}
	return nil, refusal
}

// watchdog cancels a connection that a read has waited on for too long. It
// counts the time spent waiting for the hub only, not that of a slow handler.
type watchdog struct {
	patience atomic.Int64 // nanoseconds
	timer    *time.Timer
}

func newWatchdog(patience time.Duration, cancel context.CancelCauseFunc) *watchdog {
	w := &watchdog{timer: time.AfterFunc(patience, func() { cancel(errSilent) })}
	w.patience.Store(int64(patience))
	return w
}

func (w *watchdog) arm()  { w.timer.Reset(time.Duration(w.patience.Load())) }
func (w *watchdog) rest() { w.timer.Stop() }

// watched is a body that the watchdog is told of.
type watched struct {
	body io.Reader
	dog  *watchdog
}

// Read implements io.Reader.
func (w watched) Read(p []byte) (int, error) {
	w.dog.arm()
	defer w.dog.rest()
	return w.body.Read(p)
}

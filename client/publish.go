package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Publish appends e to the channel and returns its ID, "" for an ephemeral
// event. What fails in passing (the hub is away, restarts or asks to wait) is
// repeated with the same idempotency key until ctx ends, and no longer than
// such a key lives once it is not known whether an attempt was successful: the
// error is then ErrUnknownOutcome. Any other error of type *Error is the hub's
// final answer; where ctx ended, the error has its cause and the last failure.
// One goroutine's publishes keep their order.
func (c *Client) Publish(ctx context.Context, channel string, e Event) (id string, err error) {
	var answer struct {
		ID *string `json:"id"`
	}
	header := http.Header{
		"Content-Type":    {contentType(e.Text)},
		"Idempotency-Key": {keyOf(e)},
	}
	u := c.channelURL(channel) + publishQuery(e)
	retry := c.newRetrier()
	for {
		sent := time.Now()
		err = c.post(ctx, u, header, e.Data, &answer)
		if err == nil {
			break
		}
		if err = retry.next(ctx, c.log.With("channel", channel), sent, err); err != nil {
			return "", fmt.Errorf("publish to %s: %w", channel, err)
		}
	}
	if answer.ID == nil {
		return "", nil
	}
	return *answer.ID, nil
}

func contentType(text bool) string {
	if text {
		return "text/plain; charset=utf-8"
	}
	return "application/json"
}

func keyOf(e Event) string {
	if e.Key != "" {
		return e.Key
	}
	return rand.Text()
}

func publishQuery(e Event) string {
	q := url.Values{}
	if e.Type != "" {
		q.Set("event", e.Type)
	}
	if e.Ephemeral {
		q.Set("ephemeral", "true")
	}
	if e.Exclude != "" {
		q.Set("exclude", e.Exclude)
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// post makes one attempt, and a second one where a new token may help.
func (c *Client) post(ctx context.Context, u string, header http.Header, body []byte, answer any) error {
	token, err := c.tokens.get(ctx)
	if err != nil {
		return err
	}
	err = c.postWith(ctx, token, u, header, body, answer)
	if !errors.Is(err, ErrUnauthorized) || !c.tokens.drop(ctx, token) {
		return err
	}
	if token, err = c.tokens.get(ctx); err != nil {
		return err
	}
	return c.postWith(ctx, token, u, header, body, answer)
}

// maxAnswer bounds a success: a thousand results of a batch, each an ID or an
// error with its sentence.
const maxAnswer = 4 << 20

func (c *Client) postWith(ctx context.Context, token, u string, header http.Header, body []byte, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, c.times.attempt)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u, bytes.NewReader(body))
	if err != nil {
		return &Error{Code: "bad_request", Message: err.Error()}
	}
	req.Header = header.Clone()
	req.Header.Set("Accept", "application/json")
	resp, err := c.do(req, token)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return responseError(resp)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(answer); err != nil {
		return fmt.Errorf("the hub's answer was cut off: %w", err)
	}
	return nil
}

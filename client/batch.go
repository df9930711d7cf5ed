package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"
)

// The hub's limits for one batch; the bytes leave room for its brackets.
const (
	maxBatchItems = 1000
	maxBatchBytes = 1<<20 - 16
)

// Result is what became of one event of a batch.
type Result struct {
	ID  string // "" for an ephemeral event
	Err error  // *Error for an event that the hub refused, or what ended PublishBatch
}

// PublishBatch publishes the events, each to its Channel, in their order, in
// as few requests as the hub's limits allow. It repeats what failed in passing
// as Publish does, and what follows waits for that. There is a result for
// every event; an event that the hub refuses does not fail the others. The
// error is what ended it early; no result is without an error then whose event
// is not known to be published.
func (c *Client) PublishBatch(ctx context.Context, events []Event) ([]Result, error) {
	b := &batch{client: c, results: make([]Result, len(events))}
	for i, e := range events {
		item, err := encodeItem(e)
		if err != nil {
			b.results[i].Err = err
			continue
		}
		b.waiting = append(b.waiting, pending{index: i, item: item})
	}
	for len(b.waiting) > 0 {
		n := b.fitting()
		if left, err := b.publish(ctx, b.waiting[:n]); err != nil {
			b.fail(left, err)
			b.fail(b.waiting[n:], errNotSent)
			return b.results, err
		}
		b.waiting = b.waiting[n:]
	}
	return b.results, nil
}

type batch struct {
	client  *Client
	waiting []pending
	results []Result
}

type pending struct {
	index int // in the results
	item  []byte
}

func (b *batch) fitting() int {
	bytes := 0
	for n, p := range b.waiting {
		bytes += len(p.item) + 1
		if n == maxBatchItems || n > 0 && bytes > maxBatchBytes {
			return n
		}
	}
	return len(b.waiting)
}

// publish repeats the items until each has a final result. Nothing else is
// sent meanwhile, so that nothing overtakes them. With an error it returns
// those that have none.
func (b *batch) publish(ctx context.Context, items []pending) ([]pending, error) {
	retry := b.client.newRetrier()
	for {
		sent := time.Now()
		left, err := b.attempt(ctx, items)
		if err == nil {
			return nil, nil
		}
		if err = retry.next(ctx, b.client.log.With("items", len(left)), sent, err); err != nil {
			return left, fmt.Errorf("publish batch: %w", err)
		}
		items = left
	}
}

// attempt sends the items once. With an error it returns those that have no
// final result yet; of several errors the one that leaves most in doubt.
func (b *batch) attempt(ctx context.Context, items []pending) (left []pending, err error) {
	var answers []batchAnswer
	header := http.Header{"Content-Type": {"application/json"}}
	if err := b.client.post(ctx, b.client.base+"/events", header, join(items), &answers); err != nil {
		return items, err
	}
	if len(answers) != len(items) {
		return items, fmt.Errorf("the hub answered %d items with %d results", len(items), len(answers))
	}
	for i, a := range answers {
		failed := a.failure()
		if failed == nil || outcomeOf(failed) == refused {
			b.results[items[i].index] = a.result(failed)
			continue
		}
		left = append(left, items[i])
		if err == nil || outcomeOf(failed) == unknown {
			err = failed
		}
	}
	return left, err
}

func (b *batch) fail(items []pending, err error) {
	for _, p := range items {
		b.results[p.index].Err = err
	}
}

var errNotSent = errors.New("not sent: an event before it could not be published")

func join(items []pending) []byte {
	var body bytes.Buffer
	body.WriteByte('[')
	for i, p := range items {
		if i > 0 {
			body.WriteByte(',')
		}
		body.Write(p.item)
	}
	body.WriteByte(']')
	return body.Bytes()
}

type batchAnswer struct {
	ID    *string    `json:"id"`
	Error *wireError `json:"error"`
}

func (a batchAnswer) failure() error {
	if a.Error == nil {
		return nil
	}
	return a.Error.toError()
}

func (a batchAnswer) result(err error) Result {
	if err != nil || a.ID == nil {
		return Result{Err: err}
	}
	return Result{ID: *a.ID}
}

// encodeItem writes a batch item by hand: encoding/json would rewrite the
// published bytes, and replace what is not UTF-8 in silence.
func encodeItem(e Event) ([]byte, error) {
	switch {
	case !utf8.Valid(e.Data):
		return nil, &Error{Code: "bad_request", Message: "data is not UTF-8"}
	case len(e.Data) == 0:
		return nil, &Error{Code: "bad_request", Message: "data is empty"}
	case !e.Text && !json.Valid(e.Data):
		return nil, &Error{Code: "bad_request", Message: "data is not JSON"}
	}
	b := append([]byte(`{"channel":`), quote(e.Channel)...)
	if e.Type != "" {
		b = append(append(b, `,"event":`...), quote(e.Type)...)
	}
	if e.Exclude != "" {
		b = append(append(b, `,"exclude":`...), quote(e.Exclude)...)
	}
	if e.Ephemeral {
		b = append(b, `,"ephemeral":true`...)
	}
	b = append(append(b, `,"idempotency_key":`...), quote(keyOf(e))...)
	if e.Text {
		b = append(append(b, `,"text":`...), quote(string(e.Data))...)
	} else {
		b = append(append(b, `,"data":`...), e.Data...)
	}
	b = append(b, '}')
	if len(b) > maxBatchBytes {
		return nil, &Error{Code: "too_large", Message: "larger than a whole batch may be"}
	}
	return b, nil
}

func quote(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // six bytes for each < would make a log line of markup too large
	_ = e.Encode(s)        // a string always encodes
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

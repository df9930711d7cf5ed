package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/labstack/echo/v4"

	"runnel/auth"
	"runnel/streams"
)

// batchParallel is how many channels of a batch are appended to at a time: it
// hides the log's latency, and one client's batch leaves room for others.
const batchParallel = 8

// outcome is what became of one item: its ID, the zero one for an ephemeral
// event, or an error.
type outcome struct {
	id  streams.ID
	err error
}

// channelBatch is a batch's share for one channel.
type channelBatch struct {
	channel string
	drafts  []streams.Draft
	items   []int // where in the batch each draft stands
}

// publishBatch is POST /events: many items, for many channels, one result
// each. A bad item does not fail the others.
func (s *Server) publishBatch(c echo.Context, claims *auth.Claims) error {
	items, err := s.readBatch(c)
	if err != nil {
		return err
	}
	outcomes := make([]outcome, len(items))
	s.publishShares(c.Request().Context(), s.share(claims, items, outcomes), outcomes)
	return answer(c, http.StatusOK, s.appendOutcomes(nil, outcomes, c))
}

// readBatch returns the items of a body, none of them looked into yet.
func (s *Server) readBatch(c echo.Context) ([]json.RawMessage, error) {
	const wanted = "application/json or application/x-ndjson"
	kind, err := contentType(c.Request(), wanted)
	if err != nil {
		return nil, err
	}
	split := splitArray
	switch kind {
	case "application/json":
	case "application/x-ndjson":
		split = splitLines
	default:
		return nil, fault(codeUnsupportedMedia, "the Content-Type has to be "+wanted)
	}
	body, err := readBody(c, "the batch", s.limits.Batch)
	if err != nil {
		return nil, err
	}
	return split(body, s.limits.BatchItems)
}

// splitArray reads a JSON array of at most limit items.
func splitArray(body []byte, limit int) ([]json.RawMessage, error) {
	noArray := badRequest("the body is not a JSON array")
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return nil, noArray
	}
	var items []json.RawMessage
	for dec.More() {
		if len(items) == limit {
			return nil, tooManyItems(limit)
		}
		var item json.RawMessage
		if err := dec.Decode(&item); err != nil {
			return nil, noArray.because(err)
		}
		items = append(items, item)
	}
	if _, err := dec.Token(); err != nil {
		return nil, noArray.because(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, noArray
	}
	return items, nil
}

// splitLines reads NDJSON of at most limit lines; blank ones do not count.
func splitLines(body []byte, limit int) ([]json.RawMessage, error) {
	var items []json.RawMessage
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if len(items) == limit {
			return nil, tooManyItems(limit)
		}
		items = append(items, line)
	}
	return items, nil
}

func tooManyItems(limit int) error {
	return fault(codeTooLarge, fmt.Sprintf("a batch has at most %d items", limit))
}

// share checks the items and sorts the good ones by channel, each channel's in
// their order; what is wrong with the others goes to their outcomes.
func (s *Server) share(claims *auth.Claims, items []json.RawMessage, outcomes []outcome) []*channelBatch {
	var shares []*channelBatch
	of := make(map[string]*channelBatch)
	for i, raw := range items {
		p, err := readItem(raw)
		if err != nil {
			outcomes[i].err = err
			continue
		}
		draft, err := s.draft(claims, p)
		if err != nil {
			outcomes[i].err = err
			continue
		}
		b := of[p.channel]
		if b == nil {
			b = &channelBatch{channel: p.channel}
			of[p.channel], shares = b, append(shares, b)
		}
		b.drafts, b.items = append(b.drafts, draft), append(b.items, i)
	}
	return shares
}

// publishShares appends each channel's share in one call, so in order and
// together, and returns when all are done.
func (s *Server) publishShares(ctx context.Context, shares []*channelBatch, outcomes []outcome) {
	var all sync.WaitGroup
	next := make(chan *channelBatch)
	for range min(batchParallel, len(shares)) {
		all.Go(func() {
			for b := range next {
				s.publishShare(ctx, b, outcomes)
			}
		})
	}
	for _, b := range shares {
		next <- b
	}
	close(next)
	all.Wait()
}

// publishShare writes the outcomes of its own items only.
func (s *Server) publishShare(ctx context.Context, b *channelBatch, outcomes []outcome) {
	results, err := s.publish(ctx, b.channel, b.drafts...)
	for j, i := range b.items {
		if err != nil {
			outcomes[i].err = err
		} else {
			outcomes[i] = outcome{results[j].ID, results[j].Err}
		}
	}
}

// appendOutcomes appends one result object per item, and has the log hear of
// the first failure that is not the client's own.
func (s *Server) appendOutcomes(b []byte, outcomes []outcome, c echo.Context) []byte {
	logged := false
	b = append(b, '[')
	for i, o := range outcomes {
		if i > 0 {
			b = append(b, ',')
		}
		if o.err == nil {
			b = append(appendJSONID(append(b, `{"id":`...), o.id), '}')
			continue
		}
		e := describe(o.err)
		b = appendError(b, e, "")
		s.metrics.reject(e.code)
		if e.status >= http.StatusInternalServerError && !logged {
			logged = true
			s.logFailure(c.Request(), requestID(c), e)
		}
	}
	return append(b, ']')
}

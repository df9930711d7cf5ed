package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"runnel/auth"
	"runnel/streams"
	"runnel/strict"
)

// outcome is what became of one item: its ID, the zero one for an ephemeral
// event, or an error.
type outcome struct {
	id  streams.ID
	err error
}

// channelBatch is a batch's share for one channel.
type channelBatch struct {
	streams.Share
	items []int // where in the batch each draft stands
}

// publishItems is POST /events.
func (s *Server) publishItems(c echo.Context) error {
	query, err := readQuery(c.Request())
	if err != nil {
		return err
	}
	stream, err := readFlag(query, "stream")
	switch {
	case err != nil:
		return err
	case stream:
		return s.publishStream(c)
	}
	return s.asUser(s.publishBatch)(c)
}

// publishBatch publishes many items, for many channels, one result each. A bad
// item does not fail the others.
func (s *Server) publishBatch(c echo.Context, claims *auth.Claims) error {
	items, err := s.readBatch(c)
	if err != nil {
		return err
	}
	may := min(1+s.requests.items(claims, len(items)-1), len(items)) // the request counted for one
	outcomes := s.publishMany(c.Request().Context(), claims, items, may)
	return answer(c, http.StatusOK, s.appendOutcomes(nil, outcomes, c))
}

// publishMany publishes the first items, as many as may be, and returns what
// became of all.
func (s *Server) publishMany(ctx context.Context, claims *auth.Claims, items []batchItem, may int) []outcome {
	outcomes := make([]outcome, len(items))
	for i := may; i < len(items); i++ {
		outcomes[i].err = errTooManyItems
	}
	s.settle(ctx, s.share(claims, items[:may], outcomes), outcomes)
	return outcomes
}

// errTooManyItems is for those beyond a user's rate.
var errTooManyItems = fault(codeRateLimited, "too many events; slow down")

// readBatch returns the items of a body, none of them looked into yet.
func (s *Server) readBatch(c echo.Context) ([]batchItem, error) {
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

// batchItem is an item as it came: valid JSON, or what is wrong with it.
type batchItem struct {
	raw []byte
	err error
}

// splitArray reads a JSON array of at most limit items.
func splitArray(body []byte, limit int) ([]batchItem, error) {
	if !json.Valid(body) || !strict.IsArray(body) {
		return nil, badRequest("the body is not a JSON array")
	}
	var items []batchItem
	for item := range strict.Elements(body) {
		if len(items) == limit {
			return nil, tooManyItems(limit)
		}
		items = append(items, batchItem{raw: item})
	}
	return items, nil
}

// splitLines reads NDJSON of at most limit lines; blank ones do not count.
func splitLines(body []byte, limit int) ([]batchItem, error) {
	var items []batchItem
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if len(items) == limit {
			return nil, tooManyItems(limit)
		}
		items = append(items, batchItem{line, checkObject(line)})
	}
	return items, nil
}

func tooManyItems(limit int) error {
	return fault(codeTooLarge, fmt.Sprintf("a batch has at most %d items", limit))
}

// share checks the items and sorts the good ones by channel, each channel's in
// their order; what is wrong with the others goes to their outcomes.
func (s *Server) share(claims *auth.Claims, items []batchItem, outcomes []outcome) []*channelBatch {
	var shares []*channelBatch
	of := make(map[string]*channelBatch)
	for i, item := range items {
		channel, draft, err := s.draftItem(claims, item)
		if err != nil {
			outcomes[i].err = err
			continue
		}
		b := of[channel]
		if b == nil {
			b = &channelBatch{Share: streams.Share{Channel: channel}}
			of[channel], shares = b, append(shares, b)
		}
		b.Drafts, b.items = append(b.Drafts, draft), append(b.items, i)
	}
	return shares
}

func (s *Server) draftItem(claims *auth.Claims, item batchItem) (channel string, draft streams.Draft, err error) {
	if item.err != nil {
		return "", draft, item.err
	}
	p, err := readItem(item.raw)
	if err != nil {
		return "", draft, err
	}
	draft, err = s.draft(claims, p)
	return p.channel, draft, err
}

// settle publishes the shares, and writes the outcomes of their items.
func (s *Server) settle(ctx context.Context, batches []*channelBatch, outcomes []outcome) {
	shares := make([]*streams.Share, len(batches))
	for i, b := range batches {
		shares[i] = &b.Share
	}
	s.publishShares(ctx, shares)
	for _, b := range batches {
		for j, i := range b.items {
			if b.Err != nil {
				outcomes[i].err = b.Err
			} else {
				outcomes[i] = outcome{b.Results[j].ID, b.Results[j].Err}
			}
		}
	}
}

// appendOutcomes appends one result object per item, and notes what failed.
func (s *Server) appendOutcomes(b []byte, outcomes []outcome, c echo.Context) []byte {
	b = append(b, '[')
	for i, o := range outcomes {
		if i > 0 {
			b = append(b, ',')
		}
		b = s.appendOutcome(b, o, c)
	}
	return append(b, ']')
}

func (s *Server) appendOutcome(b []byte, o outcome, c echo.Context) []byte {
	if o.err == nil {
		return append(appendJSONID(append(b, `{"id":`...), o.id), '}')
	}
	e := describe(o.err)
	s.note(c, e)
	return appendError(b, e, "")
}

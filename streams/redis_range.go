package streams

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// askMaster asks, and asks afterwards whether the server is a master, as the
// scripts do. Each reply has its own error.
func (r *Redis) askMaster(ctx context.Context, ask func(redis.Pipeliner)) error {
	pipe := r.client.Pipeline()
	ask(pipe)
	master := pipe.Do(ctx, "getex", redisKeys("").base())
	exec(ctx, pipe)
	if err := master.Err(); redis.HasErrorPrefix(err, "READONLY") {
		return err
	}
	return nil
}

// parseStoredHead reads "<last> <base> <reign>".
func parseStoredHead(v any) (Head, bool) {
	text, _ := v.(string)
	last, rest, _ := strings.Cut(text, " ")
	base, _, _ := strings.Cut(rest, " ")
	h, err := parseHead([]any{last, base})
	return h, err == nil
}

// readCall is a call of headsScript, rangeScript or forkScript.
func readCall(channel string, args ...any) *scriptCall {
	k := redisKeys(channel)
	return &scriptCall{
		keys:  []string{k.log(), k.head(), k.base(), k.fork()},
		first: k.live(),
		args:  append([]any{seconds(headLife), seconds(baseLife)}, args...),
	}
}

// Range implements [Log]. A wait for the server ends with ctx's deadline or a
// time-out, not when ctx is cancelled.
func (r *Redis) Range(ctx context.Context, channel string, q Query) (Page, error) {
	if !r.enter() {
		return Page{}, ErrClosed
	}
	defer r.calls.Done()
	page, _, err := r.page(ctx, channel, q)
	if err != nil {
		return Page{}, r.unavailable(err)
	}
	return page, nil
}

// page reads a page, and what is stored of the forks.
func (r *Redis) page(ctx context.Context, channel string, q Query) (page Page, forks string, err error) {
	call := readCall(channel, q.From.String(), luaFlag(q.Backward), max(1, q.Events), q.Bytes, eventOverhead)
	args := append([]any{call}, call.args...)
	values, err := rangeScript.Run(ctx, r.client, call.keys, args...).Slice()
	if err != nil {
		return Page{}, "", err
	}
	if page, err = parsePage(values, q.Backward); err != nil {
		return Page{}, "", err
	}
	forks, _ = values[5].(string)
	page.Forks = r.forksOf(ctx, channel, forks, page.Last)
	return page, forks, nil
}

func parseHead(values []any) (Head, error) {
	if len(values) < 2 {
		return Head{}, fmt.Errorf("a head of %d values", len(values))
	}
	last, err := parseValue(values[0])
	if err != nil {
		return Head{}, err
	}
	base, err := parseValue(values[1])
	return Head{Last: last, Base: base}, err
}

func parseValue(v any) (ID, error) {
	text, _ := v.(string)
	id, err := ParseID(text)
	if err != nil {
		return ID{}, fmt.Errorf("%w, not %.64q", err, text)
	}
	return id, nil
}

// parsePage reads the range script's answer.
func parsePage(values []any, backward bool) (Page, error) {
	if len(values) != 6 {
		return Page{}, fmt.Errorf("a page of %d values", len(values))
	}
	head, err := parseHead(values)
	if err != nil {
		return Page{}, err
	}
	below, err := parseValue(values[2])
	if err != nil {
		return Page{}, err
	}
	page := Page{Head: head, Below: below, More: values[3] == int64(1)}
	entries, _ := values[4].([]any)
	page.Events = make([]*Event, 0, len(entries))
	for _, entry := range entries {
		e, err := parseEntry(entry)
		if err != nil {
			return Page{}, err
		}
		page.Events = append(page.Events, e)
		// A stream restored beside an older head is ahead of it.
		if page.Last.Less(e.ID) {
			page.Last = e.ID
		}
	}
	if backward {
		slices.Reverse(page.Events)
	}
	return page, nil
}

// parseEntry reads an entry of a channel's stream: its ID and its fields.
func parseEntry(entry any) (*Event, error) {
	pair, _ := entry.([]any)
	if len(pair) != 2 {
		return nil, fmt.Errorf("an entry of %d values", len(pair))
	}
	id, err := parseValue(pair[0])
	if err != nil {
		return nil, err
	}
	e := &Event{ID: id}
	fields, _ := pair[1].([]any)
	for i := 0; i+1 < len(fields); i += 2 {
		value, _ := fields[i+1].(string)
		switch fields[i] {
		case "prev":
			e.Prev, err = parseValue(value)
		case "event":
			e.Type = value
		case "data":
			e.Data = []byte(value)
		case "from":
			e.From = value
		case "exclude":
			e.Exclude = value
		case "text":
			e.Text = value != ""
		}
	}
	return e, err
}

package streams

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// redisHeads is how many heads are asked for in one pipeline, well within
	// what a Redis answers before a time-out.
	redisHeads = 500

	// redisHeadRenewal is how much of its life a head has to have spent before it
	// is renewed.
	redisHeadRenewal = 24 * time.Hour

	// redisHeadLooks is how many looks at a head there are to one that renews
	// it: with two a minute, one in two hours.
	redisHeadLooks = 256
)

// Heads implements [Log].
func (r *Redis) Heads(ctx context.Context, channels []string) ([]Head, error) {
	if !r.enter() {
		return nil, ErrClosed
	}
	defer r.calls.Done()
	heads := make([]Head, 0, len(channels))
	for some := range slices.Chunk(channels, redisHeads) {
		var err error
		if heads, err = r.someHeads(ctx, heads, some); err != nil {
			return nil, r.unavailable(err)
		}
	}
	return heads, nil
}

// someHeads reads the heads that are stored in one command. For the others,
// and for some that are due to be renewed perhaps, it calls a script.
func (r *Redis) someHeads(ctx context.Context, heads []Head, channels []string) ([]Head, error) {
	stored, base, err := r.storedHeads(ctx, channels)
	if err != nil {
		return nil, err
	}
	if base, err = r.ofUnused(ctx, channels, stored, base); err != nil {
		return nil, err
	}
	var calls []*scriptCall
	var at []int // in heads
	for i, text := range stored {
		if text == nil {
			text = base
		}
		head, ok := parseStoredHead(text)
		if !ok || rand.N(redisHeadLooks) == 0 {
			calls = append(calls, readCall(channels[i], seconds(redisHeadRenewal)))
			at = append(at, len(heads))
		}
		heads = append(heads, head)
	}
	for i, reply := range r.run(ctx, headsScript, calls, nil) {
		values, err := reply.Slice()
		if noWrites(err) || wrongType(err) {
			continue // what is stored counts; where nothing is, this channel has no head
		}
		if err != nil {
			return nil, err
		}
		if heads[at[i]], err = parseHead(values); err != nil {
			return nil, err
		}
	}
	return heads, nil
}

// storedHeads returns what is stored of the channels' heads, nil where nothing
// is, and of the base.
func (r *Redis) storedHeads(ctx context.Context, channels []string) (heads []any, base any, err error) {
	keys := make([]string, len(channels), len(channels)+1)
	for i, channel := range channels {
		keys[i] = redisKeys(channel).head()
	}
	keys = append(keys, redisKeys(channels[0]).base())
	var stored *redis.SliceCmd
	err = r.askMaster(ctx, func(pipe redis.Pipeliner) { stored = pipe.MGet(ctx, keys...) })
	if err != nil {
		return nil, nil, err
	}
	values, err := stored.Result()
	if err == nil && len(values) != len(keys) {
		err = fmt.Errorf("%d values for %d keys", len(values), len(keys))
	}
	if err != nil {
		return nil, nil, err
	}
	return values[:len(channels)], values[len(channels)], nil
}

// ofUnused returns the base if it is the head of all channels of which none is
// stored; nil where one of them has a stream that lost its head, or something
// else where that belongs.
func (r *Redis) ofUnused(ctx context.Context, channels []string, stored []any, base any) (any, error) {
	var keys []string
	for i, text := range stored {
		if text == nil {
			keys = append(keys, redisKeys(channels[i]).log(), redisKeys(channels[i]).head())
		}
	}
	if len(keys) == 0 || base == nil {
		return base, nil
	}
	var exist *redis.IntCmd
	err := r.askMaster(ctx, func(pipe redis.Pipeliner) { exist = pipe.Exists(ctx, keys...) })
	if err != nil {
		return nil, err
	}
	if n, err := exist.Result(); n > 0 || err != nil {
		return nil, err
	}
	return base, nil
}

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

package streams

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
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

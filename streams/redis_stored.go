package streams

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

const (
	// redisScanKeys is how many keys Redis looks at in one go at the most, for
	// which everybody else waits: less than a millisecond.
	redisScanKeys = 1000

	// redisScans is how often it is asked for one page. Idempotency keys are
	// among what it looks at, and there may be many times as many as channels.
	redisScans = 20
)

// Stored implements [Log]. Redis has no order of keys: a page has the channels
// that the next part of them happens to have, and the place is its own cursor.
func (r *Redis) Stored(ctx context.Context, l Listing) (Stored, error) {
	cursor := uint64(0)
	if l.After != "" {
		var err error
		if cursor, err = strconv.ParseUint(l.After, 10, 64); err != nil || cursor == 0 {
			return Stored{}, ErrBadPlace
		}
	}
	if !r.enter() {
		return Stored{}, ErrClosed
	}
	defer r.calls.Done()
	names, cursor, err := r.scanHeads(ctx, l, cursor)
	if err != nil {
		return Stored{}, r.unavailable(err)
	}
	page := Stored{}
	if page.Channels, err = r.describe(ctx, names); err != nil {
		return Stored{}, r.unavailable(err)
	}
	if cursor != 0 {
		page.Next = strconv.FormatUint(cursor, 10)
	}
	return page, nil
}

// scanHeads finds channels by their heads until there are as many as asked for,
// and returns where to go on, 0 at the end.
func (r *Redis) scanHeads(ctx context.Context, l Listing, cursor uint64) (names []string, next uint64, err error) {
	const before, behind = "runnel:{", "}:head"
	pattern := before + escapeGlob(l.Prefix) + "*" + behind
	seen, look := map[string]bool{}, min(l.Limit, redisScanKeys)
	for range redisScans {
		var keys []string
		if keys, cursor, err = r.client.Scan(ctx, cursor, pattern, int64(look)).Result(); err != nil {
			return nil, 0, err
		}
		for _, key := range keys {
			name := strings.TrimSuffix(strings.TrimPrefix(key, before), behind)
			if !seen[name] && ValidChannel(name) == nil {
				seen[name], names = true, append(names, name)
			}
		}
		if cursor == 0 || len(names) >= l.Limit {
			break
		}
		look = lookAt(look, len(keys), l.Limit-len(names))
	}
	return names, cursor, nil
}

// lookAt is how many keys to look at next: as many as channels are wanted where
// most are heads, and more and more where few are.
func lookAt(looked, heads, wanted int) int {
	if heads < looked/4 {
		return min(2*looked, redisScanKeys)
	}
	return max(10, min(wanted, redisScanKeys))
}

// escapeGlob takes the meaning from what has one in Redis's patterns.
func escapeGlob(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(text)
}

// describe leaves out what has gone meanwhile, and what never had an event.
func (r *Redis) describe(ctx context.Context, names []string) (found []StoredChannel, err error) {
	if len(names) == 0 {
		return nil, nil
	}
	pipe := r.client.Pipeline()
	heads, lengths := make([]*redis.StringCmd, len(names)), make([]*redis.IntCmd, len(names))
	for i, name := range names {
		k := redisKeys(name)
		heads[i], lengths[i] = pipe.Get(ctx, k.head()), pipe.XLen(ctx, k.log())
	}
	exec(ctx, pipe)
	for i, name := range names {
		if err := cmp.Or(failure(heads[i]), failure(lengths[i])); err != nil {
			return nil, err
		}
		if head, ok := parseStoredHead(heads[i].Val()); ok && head.Last.N > 0 {
			found = append(found, StoredChannel{name, head.Last, int(lengths[i].Val())})
		}
	}
	sortByName(found)
	return found, nil
}

// failure is a reply's error, unless it says that there is nothing, or something
// else than the hub's.
func failure(reply redis.Cmder) error {
	err := reply.Err()
	if errors.Is(err, redis.Nil) || wrongType(err) {
		return nil
	}
	return err
}

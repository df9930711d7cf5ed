package streams

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The key of a channel's forks has them as "<last> <first> <lost>", with commas
// between, in the order in which they were noted, and is there only where a log
// may once have been lost. Scripts only add to it: addFork says what comes of
// all of them.

// forkBytes bounds what is kept of them, by the longest that a fork can be.
const forkBytes = maxForks * 3 * len("253402300799999-9007199254740991,")

// forkScript stores a channel's forks unless they were changed meanwhile, and
// returns whether it did. KEYS: the forks. ARGV: as they were, as they shall be,
// the life of them in s.
var forkScript = redis.NewScript(`
local was = redis.pcall('GET', KEYS[1])
if type(was) == 'string' and was ~= ARGV[1] or not was and ARGV[1] ~= '' then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', math.max(ARGV[3], redis.call('TTL', KEYS[1])))
return 1
`)

// forkTries is how often a fork is noted anew because another node noted one.
const forkTries = 10

// Fork implements [Forker].
func (r *Redis) Fork(ctx context.Context, channel string, last, lost ID) (Fork, error) {
	if !r.enter() {
		return Fork{}, ErrClosed
	}
	defer r.calls.Done()
	for range forkTries {
		page, was, err := r.page(ctx, channel, after(last, 1, 1))
		if err != nil {
			return Fork{}, r.unavailable(err)
		}
		f, ok := page.forkAfter(last)
		if !ok {
			return Fork{}, nil
		}
		f.Lost = lost
		forks := addFork(page.Forks, f)
		if slices.Equal(forks, page.Forks) {
			return f, nil
		}
		stored, err := r.storeForks(ctx, channel, was, forks)
		switch {
		case noWrites(err):
			return Fork{Last: last, Lost: lost}, nil
		case err != nil:
			return Fork{}, r.unavailable(err)
		case stored:
			return f, nil
		}
	}
	return Fork{}, fmt.Errorf("%w: its forks change all the time", ErrUnavailable)
}

// storeForks stores the forks unless others are stored than were.
func (r *Redis) storeForks(ctx context.Context, channel, were string, forks []Fork) (stored bool, err error) {
	var text strings.Builder
	for i, f := range forks {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, "%v %v %v", f.Last, f.First, f.Lost)
	}
	keys := []string{redisKeys(channel).fork()}
	n, err := forkScript.Run(ctx, r.client, keys, were, text.String(), seconds(headLife)).Int()
	return n == 1, err
}

// forksOf reads what is stored of a channel's forks, which ends at last. Damaged
// ones are forgotten: what is gone up to here may have been lost, or not.
func (r *Redis) forksOf(ctx context.Context, channel, stored string, last ID) []Fork {
	forks, err := parseForks(stored)
	if err == nil {
		return forks
	}
	forks = forgottenForks(last)
	if !r.damaged.Swap(true) {
		r.logger.Warn("what was noted of events that this Redis once lost is damaged; it begins anew", "channel", channel)
	}
	if _, err := r.storeForks(ctx, channel, stored, forks); err == nil {
		r.damaged.Store(false)
	}
	return forks
}

// parseForks reads what is stored of a channel's forks.
func parseForks(text string) (forks []Fork, err error) {
	if text == "" {
		return nil, nil
	}
	for one := range strings.SplitSeq(text, ",") {
		last, rest, _ := strings.Cut(one, " ")
		first, lost, _ := strings.Cut(rest, " ")
		var f Fork
		for i, id := range []*ID{&f.Last, &f.First, &f.Lost} {
			if *id, err = ParseID([]string{last, first, lost}[i]); err != nil {
				return nil, err
			}
		}
		forks = addFork(forks, f)
	}
	return forks, nil
}

// luaForkBytes is forkBytes in a script.
var luaForkBytes = strconv.Itoa(forkBytes)

package streams

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

func recordKey(key string) string { return "runnel:record:" + key }

// swapScript puts ARGV[2] in the place of ARGV[1] ("": of nothing) for
// ARGV[3] ms. It answers 1 if it did.
var swapScript = redis.NewScript(`
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`)

// Record and SwapRecord keep what auth.Records says; ErrUnavailable is their
// error.
func (r *Redis) Record(ctx context.Context, key string) ([]byte, error) {
	if !r.enter() {
		return nil, ErrClosed
	}
	defer r.calls.Done()
	value, err := r.client.Get(ctx, recordKey(key)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, r.unavailable(err)
	}
	return value, nil
}

// SwapRecord is described at Record.
func (r *Redis) SwapRecord(ctx context.Context, key string, old, value []byte, life time.Duration) (swapped bool, err error) {
	if !r.enter() {
		return false, ErrClosed
	}
	defer r.calls.Done()
	done, err := swapScript.Run(ctx, r.client, []string{recordKey(key)}, old, value, max(1, life.Milliseconds())).Int()
	if err != nil {
		return false, r.unavailable(err)
	}
	return done == 1, nil
}

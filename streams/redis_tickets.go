package streams

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

func ticketKey(key string) string { return "runnel:ticket:" + key }

// ownerScript notes a ticket (ARGV[1]) as its owner's newest and returns the
// oldest where there are more than ARGV[2] now. The list outlives its tickets.
var ownerScript = redis.NewScript(`
local n = redis.call('RPUSH', KEYS[1], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
if n > tonumber(ARGV[2]) then return redis.call('LPOP', KEYS[1]) end
return false`)

// PutTicket keeps a ticket for all nodes, for as long as it lives, and drops
// the owner's oldest when it has too many. It returns ErrUnavailable when that
// is not certain. On a cluster the tickets of an owner are on any node, so the
// three steps are calls of their own; what breaks off between them leaves at
// most one ticket too many until its end.
func (r *Redis) PutTicket(ctx context.Context, owner string, most int, key string, value []byte, life time.Duration) error {
	if !r.enter() {
		return ErrClosed
	}
	defer r.calls.Done()
	oldest, err := ownerScript.Run(ctx, r.client, []string{"runnel:tickets:" + owner}, key, most, life.Milliseconds()).Text()
	if err != nil && !errors.Is(err, redis.Nil) {
		return unavailable(err)
	}
	if err := r.client.Set(ctx, ticketKey(key), value, life).Err(); err != nil {
		return unavailable(err)
	}
	if oldest != "" {
		r.client.Del(ctx, ticketKey(oldest))
	}
	return nil
}

// GetTicket returns a ticket and leaves it; nil if there is none.
func (r *Redis) GetTicket(ctx context.Context, key string) ([]byte, error) {
	if !r.enter() {
		return nil, ErrClosed
	}
	defer r.calls.Done()
	return ticketValue(r.client.Get(ctx, ticketKey(key)))
}

// TakeTicket returns a ticket and removes it, for one caller only; nil if
// there is none.
func (r *Redis) TakeTicket(ctx context.Context, key string) ([]byte, error) {
	if !r.enter() {
		return nil, ErrClosed
	}
	defer r.calls.Done()
	return ticketValue(r.client.GetDel(ctx, ticketKey(key)))
}

func ticketValue(reply *redis.StringCmd) ([]byte, error) {
	value, err := reply.Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, unavailable(err)
	}
	return value, nil
}

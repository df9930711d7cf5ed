package streams

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

func ticketKey(key string) string { return "runnel:ticket:" + key }

// PutTicket keeps a ticket for all nodes, for as long as it lives. It returns
// ErrUnavailable when that is not certain.
func (r *Redis) PutTicket(ctx context.Context, key string, value []byte, life time.Duration) error {
	if !r.enter() {
		return ErrClosed
	}
	defer r.calls.Done()
	if err := r.client.Set(ctx, ticketKey(key), value, life).Err(); err != nil {
		return unavailable(err)
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

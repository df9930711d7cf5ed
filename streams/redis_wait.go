package streams

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// errTooFewReplicas is the cause of an unknown outcome where the master has
// the event: whether it survives is open.
var errTooFewReplicas = errors.New("too few replicas have it in time")

// copying is how many replicas have what a pipeline wrote.
type copying struct {
	want  int
	reply *redis.Cmd // nil: nobody asked
}

// waitForReplicas ends a pipeline of appends with WAIT, if replicas are to be
// waited for. WAIT speaks of its own connection's writes, so that it has to be
// in the pipeline. Half of the time for an answer is what it may take: it
// answers too late rather than never.
func (r *Redis) waitForReplicas(ctx context.Context, calls []*appendCall, c *copying) func(redis.Pipeliner) {
	if r.replicas == 0 || !slices.ContainsFunc(calls, (*appendCall).lasting) {
		return nil
	}
	most := max(1, (r.options.ReadTimeout / 2).Milliseconds()) // 0 would be for ever
	return func(p redis.Pipeliner) {
		*c = copying{want: r.replicas, reply: p.Do(ctx, "wait", r.replicas, most)}
	}
}

// err says why it is not known that enough replicas have it.
func (c *copying) err() error {
	if c.reply == nil {
		return nil
	}
	have, err := c.reply.Int()
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
	case have < c.want:
		return fmt.Errorf("%w: %w: %d of %d", ErrUnknownOutcome, errTooFewReplicas, have, c.want)
	}
	return nil
}

// lasting reports whether the call leaves anything that a replica could have:
// an event, or the key of an ephemeral one.
func (c *appendCall) lasting() bool {
	return slices.ContainsFunc(c.appends, func(a *redisAppend) bool { return a.lasting })
}

package streams

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// scriptCall is one call of a script, going out in a pipeline with others.
type scriptCall struct {
	keys  []string
	first string // ARGV[1]
	args  []any  // the others

	sent bool // perhaps on its way to the server, or there
}

// MarshalBinary makes the call its own ARGV[1]. The library asks for the bytes
// when it begins to write the call: what fails before that was never sent.
func (c *scriptCall) MarshalBinary() ([]byte, error) {
	c.sent = true
	return []byte(c.first), nil
}

// run sends the calls in one pipeline and reads what comes back. A call that
// the server refused because it does not know the script yet goes out again.
// The pipeline ends with what else is to be in it, if anything is.
func (r *Redis) run(ctx context.Context, script *redis.Script, calls []*scriptCall, end func(redis.Pipeliner)) []*redis.Cmd {
	replies := make([]*redis.Cmd, len(calls))
	r.pipeline(ctx, calls, replies, script.EvalSha, end)
	unknown := false
	again := make([]*scriptCall, len(calls))
	for i, reply := range replies {
		if redis.HasErrorPrefix(reply.Err(), "NOSCRIPT") {
			calls[i].sent, again[i], unknown = false, calls[i], true
		}
	}
	if unknown {
		r.pipeline(ctx, again, replies, script.Eval, end)
	}
	return replies
}

// evaluate is redis.Script's Eval or EvalSha.
type evaluate func(ctx context.Context, c redis.Scripter, keys []string, args ...any) *redis.Cmd

// pipeline sends all calls that are not nil and puts down their replies.
func (r *Redis) pipeline(ctx context.Context, calls []*scriptCall, replies []*redis.Cmd, eval evaluate, end func(redis.Pipeliner)) {
	pipe := r.client.Pipeline()
	for i, c := range calls {
		if c != nil {
			replies[i] = eval(ctx, pipe, c.keys, append([]any{c}, c.args...)...)
		}
	}
	if end != nil {
		end(pipe)
	}
	exec(ctx, pipe)
}

// exec sends the pipeline. Each command has its error then: the library gives
// them none when a new connection is refused.
func exec(ctx context.Context, pipe redis.Pipeliner) {
	commands, err := pipe.Exec(ctx)
	if err == nil || slices.ContainsFunc(commands, func(c redis.Cmder) bool { return c.Err() != nil }) {
		return
	}
	for _, c := range commands {
		c.SetErr(err)
	}
}

// scriptReply is the reply to a call, or ErrUnavailable when it certainly was
// not run, or else ErrUnknownOutcome.
func (r *Redis) scriptReply(c *scriptCall, reply *redis.Cmd) ([]any, error) {
	// When a connection breaks, the library puts the error on the replies
	// that had already been read, too. They are good nevertheless.
	if values, ok := reply.Val().([]any); ok {
		return values, nil
	}
	err := reply.Err()
	if !c.sent || refused(err) {
		return nil, r.unavailable(err)
	}
	return nil, fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
}

func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }

package streams

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// helloHook keeps what a server says to a connection that it does not want,
// before it hangs up. The library takes any answer to its greeting for one of a
// server too old to know it, goes on, and finds the connection closed.
type helloHook struct{ redis *Redis }

func (helloHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (helloHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h helloHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err != nil && cmd.Name() == "hello" && unwanted(err) {
			err = &refusal{server: h.redis.options.Addr, says: saysOf(answer(err))} // no answer any more, so that the library stops
			cmd.SetErr(err)
		}
		return err
	}
}

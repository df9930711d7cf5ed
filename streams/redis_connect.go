package streams

import (
	"context"
	"log/slog"
	"strings"

	"github.com/redis/go-redis/v9"
)

// rehearsalScript tries every command that the scripts and reads are made of,
// on keys that there are not and so that nothing is written, and returns those
// that failed, each followed by the answer.
var rehearsalScript = redis.NewScript(`
local log, head = KEYS[1], KEYS[2]
local failed = {}
for _, command in ipairs({
  {'GET', head}, {'MGET', head}, {'EXISTS', head}, {'GETEX', head}, {'TTL', head}, {'EXPIRE', head, 1}, {'SET', head, '', 'XX', 'PX', 1},
  {'PEXPIRE', log, 1}, {'XADD', log, 'NOMKSTREAM', '*', 'prev', ''}, {'XTRIM', log, 'MAXLEN', 1}, {'XRANGE', log, '-', '-'},
  {'XREVRANGE', log, '-', '-'}, {'XINFO', 'STREAM', log}, {'XLEN', log}, {'SCAN', 0}, {'TIME'}, {'PUBLISH', ARGV[1], ''},
}) do
  local reply = redis.pcall(unpack(command))
  if type(reply) == 'table' and reply.err then
    failed[#failed + 1] = command[1]
    failed[#failed + 1] = reply.err
  end
end
return failed
`)

// accept runs on every new connection before that is used, until a server was
// found to be one that the hub can work with. What it would refuse later, in
// the middle of an append perhaps, it refuses here, by name.
func (r *Redis) accept(ctx context.Context, c *redis.Conn) error {
	if r.accepted.Load() {
		return nil
	}
	info, err := c.Info(ctx).Result()
	if redisReply(err) == nil && err != nil {
		return err
	}
	if code, _ := answer(err); code == "NOAUTH" {
		return r.named(err)
	}
	if strings.Contains(info, "redis_mode:cluster") {
		return &refusal{server: r.options.Addr, says: isCluster}
	}
	if done, err := r.rehearse(ctx, c); !done {
		return err
	}
	if !r.accepted.Swap(true) {
		warnOfPolicy(r.logger, info)
	}
	return nil
}

// rehearse returns what the server refuses to this user. It is not done, for
// now, with one that answers no scripts, as while it loads: commands say so.
func (r *Redis) rehearse(ctx context.Context, c *redis.Conn) (done bool, err error) {
	k := redisKeys("$rehearsal")
	keys := []string{k.log(), k.head()}
	if err := rehearsalScript.EvalSha(ctx, c, keys, k.live()).Err(); forbidden(err) {
		return false, r.named(err)
	}
	failed, err := rehearsalScript.Eval(ctx, c, keys, k.live()).StringSlice()
	switch {
	case forbidden(err):
		return false, r.named(err)
	case redisReply(err) != nil:
		return false, nil
	case err != nil:
		return false, err
	}
	if r.replicas > 0 {
		if err := c.Wait(ctx, 0, 1).Err(); forbidden(err) {
			return false, r.named(err)
		}
	}
	if names := forbiddenOf(failed); len(names) > 0 {
		return false, &refusal{server: r.options.Addr, says: "refuses commands that the hub needs: " + strings.Join(names, ", ")}
	}
	return true, nil
}

// forbiddenOf picks the commands that are refused for good.
func forbiddenOf(failed []string) (names []string) {
	for ; len(failed) > 1; failed = failed[2:] {
		if forbidden(replyText(failed[1])) {
			names = append(names, failed[0])
		}
	}
	return names
}

// replyText is an answer that came as a text.
type replyText string

func (t replyText) Error() string { return string(t) }
func (replyText) RedisError()     {}

// warnOfPolicy warns of a Redis that drops history when its memory is full.
func warnOfPolicy(logger *slog.Logger, info string) {
	_, policy, found := strings.Cut(info, "maxmemory_policy:")
	policy, _, _ = strings.Cut(policy, "\r\n")
	if found && policy != "noeviction" {
		logger.Warn("this Redis evicts keys when its memory is full, and events and idempotency keys with them; set maxmemory-policy to noeviction",
			"maxmemory_policy", policy)
	}
}

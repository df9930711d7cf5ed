package streams

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"sync/atomic"
	"time"
)

const (
	// redisSenders send at once. A channel always has the same one, which
	// waits for the answers before it sends again: batches in flight together
	// cannot reorder a channel. A second sender uses the round trip of the first.
	redisSenders = 2

	// redisQueue bounds the appends that wait for a sender; the caller of a
	// further one waits for a place.
	redisQueue = 1024

	// A batch ends at so many appends, or with the one that passes so many
	// bytes: enough to make the round trip cheap, little enough to be done
	// long before the time-out.
	redisBatch      = 256
	redisBatchBytes = 1 << 20

	// redisMaxAge stands for ages beyond it, which would overflow.
	redisMaxAge = 100 * 365 * 24 * time.Hour
)

// redisAppend is an append on its way.
type redisAppend struct {
	scriptCall
	size   int
	queued time.Time

	taken   atomic.Bool   // by its sender, or back by its caller: who is first
	done    chan struct{} // closed when the rest is set
	results []Result
	err     error
}

// Append implements [Log]. Drafts that wait for their turn when ctx is done
// are taken back (ErrUnavailable); those on their way are not
// (ErrUnknownOutcome), and their Data must not be changed.
func (r *Redis) Append(ctx context.Context, channel string, keep Retention, drafts []Draft) ([]Result, error) {
	if !r.enter() {
		return nil, ErrClosed
	}
	defer r.calls.Done()
	if err := ctx.Err(); err != nil {
		return nil, unavailable(err)
	}
	a := newRedisAppend(channel, keep, drafts)
	select {
	case r.queueOf(channel) <- a:
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	}
	select {
	case <-a.done:
		return a.results, a.err
	case <-ctx.Done():
		return a.giveUp(ctx.Err())
	}
}

// giveUp is what the caller gets who will not wait any longer.
func (a *redisAppend) giveUp(cause error) ([]Result, error) {
	if !a.taken.Swap(true) {
		return nil, unavailable(cause)
	}
	select {
	case <-a.done:
		return a.results, a.err
	default:
		return nil, fmt.Errorf("%w: %w", ErrUnknownOutcome, cause)
	}
}

func newRedisAppend(channel string, keep Retention, drafts []Draft) *redisAppend {
	k := redisKeys(channel)
	age := min(keep.Age, redisMaxAge)
	a := &redisAppend{queued: time.Now(), done: make(chan struct{})}
	a.keys = []string{k.log(), k.head()}
	a.first = k.live()
	a.args = make([]any, 0, 5+7*len(drafts))
	a.args = append(a.args,
		max(1, keep.Count),
		max(1, age.Milliseconds()),
		seconds(headLife+age),
		seconds(baseLife),
		KeyLife.Milliseconds())
	for i := range drafts {
		a.add(k, &drafts[i])
	}
	return a
}

func (a *redisAppend) add(k redisKeys, d *Draft) {
	fingerprint := ""
	if d.Key != "" {
		print, key := d.fingerprint(), sha256.Sum256([]byte(d.Key))
		fingerprint = hex.EncodeToString(print[:])
		a.keys = append(a.keys, k.key(hex.EncodeToString(key[:16])))
	}
	a.args = append(a.args, fingerprint, luaFlag(d.Ephemeral), luaFlag(d.Text), d.Type, d.From, d.Exclude, d.Data)
	a.size += len(d.Type) + len(d.From) + len(d.Exclude) + len(d.Data)
}

// luaFlag is a yes in scripts and entries; a no is the empty string.
func luaFlag(yes bool) string {
	if yes {
		return "1"
	}
	return ""
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

var redisSeed = maphash.MakeSeed()

func (r *Redis) queueOf(channel string) chan *redisAppend {
	return r.queues[maphash.String(redisSeed, channel)%uint64(len(r.queues))]
}

func (r *Redis) startSenders() {
	for range redisSenders {
		queue := make(chan *redisAppend, redisQueue)
		r.queues = append(r.queues, queue)
		r.senders.Go(func() { r.send(queue) })
	}
}

// stopSenders has the senders finish their queues and waits for them; nobody
// may be appending any more.
func (r *Redis) stopSenders() {
	for _, queue := range r.queues {
		close(queue)
	}
	r.senders.Wait()
}

// send sends batches of whatever is waiting until the queue is closed.
func (r *Redis) send(queue <-chan *redisAppend) {
	for a := range queue {
		var batch []*redisAppend
		size := 0
		for more := true; more; {
			if r.take(a) {
				batch = append(batch, a)
				size += a.size
			}
			if len(batch) == redisBatch || size > redisBatchBytes {
				break
			}
			select {
			case a, more = <-queue:
			default:
				more = false
			}
		}
		r.sendBatch(batch)
	}
}

// errOverdue is the cause for appends that stood behind others for as long as
// one may wait for an answer: the Redis is stalled, or there is too much for it.
var errOverdue = errors.New("it takes appends too slowly")

// take makes the append one to be sent, unless it is too late for that.
func (r *Redis) take(a *redisAppend) bool {
	if a.taken.Swap(true) {
		return false
	}
	if time.Since(a.queued) < r.options.ReadTimeout {
		return true
	}
	a.err = unavailable(errOverdue)
	close(a.done)
	return false
}

func (r *Redis) sendBatch(batch []*redisAppend) {
	if len(batch) == 0 {
		return
	}
	calls := make([]*scriptCall, len(batch))
	for i, a := range batch {
		calls[i] = &a.scriptCall
	}
	// Callers come and go; once it is sent only the time-outs end it.
	replies := r.run(context.Background(), appendScript, calls)
	for i, a := range batch {
		a.results, a.err = appendResults(scriptReply(calls[i], replies[i]))
		close(a.done)
	}
}

// appendResults reads the append script's answer, one string per draft.
func appendResults(values []any, err error) ([]Result, error) {
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(values))
	for i, v := range values {
		text, _ := v.(string)
		if text == "reused" {
			results[i].Err = ErrKeyReused
			continue
		}
		if results[i].ID, err = ParseID(text); err != nil {
			return nil, fmt.Errorf("%w: the answer %q", ErrUnknownOutcome, text)
		}
	}
	return results, nil
}

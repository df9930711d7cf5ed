package streams

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
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

	// redisMerge is how many drafts a call of the script may hold before
	// others join it: all other clients of the Redis wait for its end.
	redisMerge = 128
)

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
		if len(batch) > 0 {
			r.sendBatch(batch)
		}
	}
}

// errOverdue is the cause for appends that stood behind others for twice as long
// as one may wait for an answer: the Redis is stalled, or there is too much for
// it. Once is what a single lost answer takes.
var errOverdue = errors.New("it takes appends too slowly")

// take makes the append one to be sent, unless it is too late for that.
func (r *Redis) take(a *redisAppend) bool {
	if a.taken.Swap(true) {
		return false
	}
	if time.Since(a.queued) < 2*r.options.ReadTimeout {
		return true
	}
	a.settle(nil, unavailable(errOverdue))
	return false
}

// appendCall is a call of the append script, for appends to one channel that
// waited together: most of what a call costs is not for the event.
type appendCall struct {
	scriptCall
	appends []*redisAppend
	drafts  int
}

// appendCalls makes calls of a batch, which keep each channel's order: an
// append joins the last call of its channel, if that has its retention and room.
func appendCalls(batch []*redisAppend, g *reign) []*appendCall {
	var calls []*appendCall
	last := make(map[string]*appendCall, len(batch))
	for _, a := range batch {
		call := last[a.channel]
		if call == nil || call.appends[0].keep != a.keep || call.drafts+a.drafts > redisMerge {
			call = &appendCall{}
			last[a.channel], calls = call, append(calls, call)
		}
		call.appends = append(call.appends, a)
		call.drafts += a.drafts
	}
	for _, call := range calls {
		call.build(g)
	}
	return calls
}

func (c *appendCall) build(g *reign) {
	k, keep := redisKeys(c.appends[0].channel), c.appends[0].keep
	age := min(keep.Age, redisMaxAge)
	c.first = k.live()
	c.keys = []string{k.log(), k.head(), k.base(), k.fork()}
	c.args = make([]any, 0, 5+6*c.drafts)
	c.args = append(c.args,
		max(1, keep.Count),
		max(1, age.Milliseconds()),
		seconds(headLife+age+age/16), // outlives the stream
		KeyLife.Milliseconds(),
		g)
	for _, a := range c.appends {
		c.keys = append(c.keys, a.keys...)
		c.args = append(c.args, a.args...)
	}
}

// settle gives each append its part of the answers.
func (c *appendCall) settle(answers []any, err error) {
	if err == nil && len(answers) != c.drafts {
		err = fmt.Errorf("%w: %d answers to %d drafts", ErrUnknownOutcome, len(answers), c.drafts)
	}
	for _, a := range c.appends {
		if err != nil {
			a.settle(nil, err)
			continue
		}
		a.settle(answers[:a.drafts], nil)
		answers = answers[a.drafts:]
	}
}

func (r *Redis) sendBatch(batch []*redisAppend) {
	calls := appendCalls(batch, &r.reign)
	scripts := make([]*scriptCall, len(calls))
	for i, c := range calls {
		scripts[i] = &c.scriptCall
	}
	// Callers come and go; once it is sent only the time-outs end it.
	ctx := context.Background()
	r.makeSureOfReign(ctx)
	var copied copying
	replies := r.run(ctx, appendScript, scripts, r.waitForReplicas(ctx, calls, &copied))
	for i, c := range calls {
		answers, err := r.scriptReply(scripts[i], replies[i])
		if err == nil && c.lasting() {
			err = copied.err()
		}
		c.settle(answers, err)
	}
}

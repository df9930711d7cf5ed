package streams

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

// redisMaxAge stands for ages beyond it, which would overflow.
const redisMaxAge = 100 * 365 * 24 * time.Hour

// redisAppend is an append on its way.
type redisAppend struct {
	channel string
	keep    Retention
	drafts  int
	keys    []string // KEYS of the append script for the drafts
	args    []any    // ARGV for them
	lasting bool     // not only ephemeral drafts without a key
	size    int
	queued  time.Time

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
	a := newRedisAppend(channel, keep, drafts)
	r.enqueue(ctx, a)
	return a.wait(ctx)
}

// AppendShares implements PublishShares: all of them wait for their sender
// together, and go out in as few pipelines as they fit into.
func (r *Redis) AppendShares(ctx context.Context, shares []*Share, keep func(channel string) Retention) {
	if !r.enter() {
		for _, s := range shares {
			s.Err = ErrClosed
		}
		return
	}
	defer r.calls.Done()
	appends := make([]*redisAppend, len(shares))
	for i, s := range shares {
		appends[i] = newRedisAppend(s.Channel, keep(s.Channel), s.Drafts)
		r.enqueue(ctx, appends[i])
	}
	for i, s := range shares {
		s.Results, s.Err = appends[i].wait(ctx)
	}
}

// enqueue hands the append to its sender, or settles it when ctx is done.
func (r *Redis) enqueue(ctx context.Context, a *redisAppend) {
	if ctx.Err() == nil {
		select {
		case r.queueOf(a.channel) <- a:
			return
		case <-ctx.Done():
		}
	}
	a.taken.Store(true)
	a.settle(nil, unavailable(ctx.Err()))
}

func (a *redisAppend) wait(ctx context.Context) ([]Result, error) {
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
	a := &redisAppend{
		channel: channel, keep: keep, drafts: len(drafts),
		args:   make([]any, 0, 6*len(drafts)),
		queued: time.Now(), done: make(chan struct{}),
	}
	for i := range drafts {
		a.add(&drafts[i])
	}
	return a
}

func (a *redisAppend) add(d *Draft) {
	fingerprint := ""
	if d.Key != "" {
		print, key := d.fingerprint(), sha256.Sum256([]byte(d.Key))
		fingerprint = hex.EncodeToString(print[:])
		a.keys = append(a.keys, redisKeys(a.channel).key(hex.EncodeToString(key[:16])))
	}
	a.args = append(a.args, fingerprint, luaFlag(d.Ephemeral), messageForm(d), 0)
	fields := len(a.args)
	a.field("event", d.Type)
	a.field("from", d.From)
	a.field("exclude", d.Exclude)
	if len(d.Data) > 0 {
		a.args = append(a.args, "data", d.Data)
	}
	a.field("text", luaFlag(d.Text))
	a.args[fields-1] = len(a.args) - fields
	a.lasting = a.lasting || !d.Ephemeral || d.Key != ""
	a.size += len(d.Type) + len(d.From) + len(d.Exclude) + len(d.Data)
}

// field adds a field of the stream's entry, unless it is empty. The values,
// in their order, are also what a message has after its line; see parseMessage.
func (a *redisAppend) field(name, value string) {
	if value != "" {
		a.args = append(a.args, name, value)
	}
}

// messageForm is the rest of a message's line after the IDs.
func messageForm(d *Draft) string {
	b := make([]byte, 0, 32)
	if d.Text {
		b = append(b, " text"...)
	} else {
		b = append(b, " json"...)
	}
	for _, n := range [...]int{len(d.Type), len(d.From), len(d.Exclude), len(d.Data)} {
		b = strconv.AppendInt(append(b, ' '), int64(n), 10)
	}
	return string(append(b, '\n'))
}

// luaFlag is a yes in scripts and entries; a no is the empty string.
func luaFlag(yes bool) string {
	if yes {
		return "1"
	}
	return ""
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// settle gives the caller its results, one answer of the append script per
// draft, or why there are none.
func (a *redisAppend) settle(answers []any, err error) {
	if err == nil {
		a.results, err = appendResults(answers)
	}
	a.err = err
	close(a.done)
}

// appendResults reads answers of the append script.
func appendResults(answers []any) ([]Result, error) {
	results := make([]Result, len(answers))
	for i, answer := range answers {
		text, _ := answer.(string)
		if text == "reused" {
			results[i].Err = ErrKeyReused
			continue
		}
		var err error
		if results[i].ID, err = ParseID(text); err != nil {
			return nil, fmt.Errorf("%w: the answer %.64q", ErrUnknownOutcome, text)
		}
	}
	return results, nil
}

package streams

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// BrokerOptions configures a broker. Only Log is required.
type BrokerOptions struct {
	Log  Log
	Node string // names the node's probe channel; must differ between nodes

	// Retention says what a channel keeps. Default: 1,000 events and 24 h.
	Retention func(channel string) Retention

	TailEvents int // events a channel's tail holds at most, default 1,000
	TailBytes  int // bytes of them at most, default 1 MiB

	// Memory is how many bytes all tails and pages of history hold at most,
	// default 64 MiB; pages that somebody is just reading can be up to 12 MiB
	// beyond it. While it is exceeded more is read from the log, and later.
	Memory int64

	TailAge    time.Duration // what is older is for the log to answer, default 1 min
	Linger     time.Duration // how long a channel that nobody reads is followed, default 10 s
	CheckEvery time.Duration // in what time all tails are compared with the log unasked, default 30 s
	ProbeEvery time.Duration // how often the way through the log is tried out, default 2 s

	Logger *slog.Logger // default: none
}

func (o *BrokerOptions) setDefaults() {
	if o.Retention == nil {
		o.Retention = func(string) Retention { return DefaultRetention }
	}
	o.TailEvents = orDefault(o.TailEvents, 1000)
	o.TailBytes = orDefault(o.TailBytes, 1<<20)
	o.Memory = orDefault(o.Memory, 64<<20)
	o.TailAge = orDefault(o.TailAge, time.Minute)
	o.Linger = orDefault(o.Linger, 10*time.Second)
	o.CheckEvery = orDefault(o.CheckEvery, 30*time.Second)
	o.ProbeEvery = orDefault(o.ProbeEvery, 2*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// DefaultRetention is what a channel keeps unless configured otherwise.
var DefaultRetention = Retention{Count: 1000, Age: 24 * time.Hour}

func orDefault[T int | int64 | time.Duration](v, standard T) T {
	if v == 0 {
		return standard
	}
	return v
}

// Broker follows the channels that somebody reads, once for all their readers
// on the node, and answers what comes after a position.
type Broker struct {
	options BrokerOptions
	log     Log
	probe   probe
	count   counters

	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	held      atomic.Int64  // bytes in tails and pages
	paged     atomic.Int64  // bytes in pages alone
	reads     chan struct{} // slots for pages in flight
	sweeps    chan struct{} // asks for a sweep before its time
	busy      busyList
	checks    checks
	refreshes refreshes
	faults    faultLog

	mu       sync.Mutex
	channels map[string]*channel
	readers  int
}

// NewBroker starts a broker. The caller closes it, and after it the log.
func NewBroker(o BrokerOptions) *Broker {
	o.setDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	b := &Broker{
		options:   o,
		log:       o.Log,
		ctx:       ctx,
		cancel:    cancel,
		reads:     make(chan struct{}, readsAtOnce),
		sweeps:    make(chan struct{}, 1),
		checks:    checks{signal: make(chan struct{}, 1)},
		refreshes: refreshes{due: map[*channel]struct{}{}},
		faults:    faultLog{logger: o.Logger, last: map[string]time.Time{}},
		channels:  map[string]*channel{},
	}
	b.tasks.Go(b.runChecks)
	b.tasks.Go(b.runSweeps)
	b.tasks.Go(b.runProbe)
	return b
}

// Close stops following and waits for all goroutines. Subscriptions stay
// where they are and say nothing any more.
func (b *Broker) Close() error {
	b.cancel()
	b.eachChannel(func(c *channel) {
		// Whoever held the lock has started its reading, or never will.
		c.mu.Lock()
		defer c.mu.Unlock()
	})
	b.tasks.Wait()
	b.eachChannel(func(c *channel) {
		if c.stop != nil {
			c.stop()
		}
	})
	return nil
}

// Publish appends drafts to a channel; see Log.Append for results and errors.
func (b *Broker) Publish(ctx context.Context, channel string, drafts ...Draft) ([]Result, error) {
	results, err := b.log.Append(ctx, channel, b.options.Retention(channel), drafts)
	b.published(channel, results, err)
	return results, err
}

// published counts what came of an append.
func (b *Broker) published(channel string, results []Result, err error) {
	if err != nil {
		b.logFailed("append", channel, err)
		return
	}
	for _, r := range results {
		if r.Err == nil {
			b.count.published.Add(1)
		}
	}
}

// Subscribe begins reading a channel. It waits until the node knows where the
// channel stands; when ctx ends before, or the log is known to be away, the
// error is ErrUnavailable. The caller closes the subscription.
func (b *Broker) Subscribe(ctx context.Context, channel string, start Start, w Waiter) (*Subscription, error) {
	c, err := b.acquire(ctx, channel)
	if err != nil {
		return nil, err
	}
	position, gap, err := b.begin(ctx, c, start)
	if err != nil {
		b.release(c)
		return nil, err
	}
	s := &Subscription{channel: c, waiter: w, position: position, resuming: start.kind == fromPosition}
	if gap != nil {
		s.doubt = &doubt{gap: gap}
	}
	s.due.Store(true)
	c.mu.Lock()
	s.number, _ = c.tail.number(position)
	s.live = c.tail.end()
	c.enlist(s)
	c.mu.Unlock()
	return s, nil
}

func (b *Broker) begin(ctx context.Context, c *channel, start Start) (ID, *Gap, error) {
	if err := b.await(ctx, c); err != nil {
		return ID{}, nil, err
	}
	return b.resolve(ctx, c, start)
}

// awayer is a log that knows when it cannot be followed; the channel it returns
// is closed then.
type awayer interface{ Away() <-chan struct{} }

// await waits until the node knows where the channel stands. While the log
// cannot be followed that is in vain, and the client better off trying again.
func (b *Broker) await(ctx context.Context, c *channel) error {
	known := c.known()
	select {
	case <-known:
		return nil
	default:
	}
	var away <-chan struct{}
	if l, ok := b.log.(awayer); ok {
		away = l.Away()
	}
	select {
	case <-known:
		return nil
	case <-b.ctx.Done():
		return ErrClosed
	case <-away:
		return fmt.Errorf("%w: it cannot be followed", ErrUnavailable)
	case <-ctx.Done():
		return fmt.Errorf("%w: channel not followed in time", ErrUnavailable)
	}
}

// acquire returns the channel with one reader more, following it if nobody
// did.
func (b *Broker) acquire(ctx context.Context, name string) (*channel, error) {
	for {
		c, left, err := b.join(name)
		if left == nil {
			return c, err
		}
		select {
		case <-left:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
		}
	}
}

// join counts a reader in; left is not nil when the channel is just being left
// and has to be joined anew after that.
func (b *Broker) join(name string) (c *channel, left chan struct{}, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx.Err() != nil {
		return nil, nil, ErrClosed
	}
	c = b.channels[name]
	if c == nil {
		c = newChannel(name, b)
		b.channels[name] = c
		c.stop = b.log.Follow(name, c)
	}
	if c.left != nil {
		return nil, c.left, nil
	}
	c.readers++
	b.readers++
	return c, nil, nil
}

func (b *Broker) release(c *channel) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.readers--
	if c.readers--; c.readers == 0 {
		c.idle = time.Now()
	}
}

// allChannels is the channels followed now.
func (b *Broker) allChannels() []*channel {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]*channel, 0, len(b.channels))
	for _, c := range b.channels {
		all = append(all, c)
	}
	return all
}

// eachChannel calls f for every channel, without holding the broker's lock.
func (b *Broker) eachChannel(f func(*channel)) {
	for _, c := range b.allChannels() {
		f(c)
	}
}

// pause waits, or until the broker is closed.
func (b *Broker) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-b.ctx.Done():
	}
}

func (b *Broker) overBudget() bool { return b.held.Load() > b.options.Memory }

// logFailed counts a failure of the log and tells the operator.
func (b *Broker) logFailed(what, channel string, err error) {
	if b.ctx.Err() != nil || errors.Is(err, context.Canceled) || errors.Is(err, ErrClosed) {
		return
	}
	b.count.LogErrors.Add(1)
	b.faults.report(what, channel, err)
}

package streams

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

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

	held      atomic.Int64  // bytes in tails and pages, encoded forms too
	crowded   atomic.Bool   // there was no room for a form
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
	// Whoever held these locks has started its reading, or never will.
	pass(&b.refreshes.mu)
	b.eachChannel(func(c *channel) { pass(&c.mu) })
	b.tasks.Wait()
	b.eachChannel(func(c *channel) {
		if c.stop != nil {
			c.stop()
		}
	})
	return nil
}

// pass waits for whoever holds the lock.
func pass(mu *sync.Mutex) {
	mu.Lock()
	defer mu.Unlock()
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
		switch {
		case r.Err == nil:
			b.count.published.Add(1)
		case errors.Is(r.Err, ErrUnavailable):
			b.logFailed("append", channel, r.Err)
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
func (b *Broker) pause(d time.Duration) { pause(b.ctx, d) }

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// signal makes a channel readable that has room for one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// takesForm counts a form that an event is to keep, or says that there is no
// room for it.
func (b *Broker) takesForm(n int) bool {
	switch {
	case b == nil:
		return false
	case b.held.Add(int64(n)) <= b.options.Memory:
		return true
	}
	b.held.Add(-int64(n))
	b.crowded.Store(true)
	b.sweepSoon()
	return false
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

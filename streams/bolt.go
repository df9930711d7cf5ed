package streams

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// BoltOptions configures a [Bolt]. The zero value is good.
type BoltOptions struct {
	SweepEvery time.Duration // how often age is applied to quiet channels, default 1 min
	Logger     *slog.Logger  // default: none
}

// Bolt is the log for one node whose history survives restarts: one file,
// which one process has open at a time. What Append has answered is on disk,
// and nobody hears of it or reads it earlier.
//
// All changes are made by one goroutine, which takes whatever waits into one
// transaction, so that many publishers share one fsync. Reads see the file as
// of the last finished transaction and hold up none.
//
// The file grows to what the retained events need and does not shrink: free
// pages are used again. A channel without events is forgotten after 30 days
// without use, and one that never had any is not in it.
type Bolt struct {
	db      *bbolt.DB
	opening uint64 // how many times the file was opened
	logger  *slog.Logger
	damaged sync.Once // it was said that what is known of forks is

	queue     chan *boltJob
	durable   sync.RWMutex          // held while a transaction is on its way to disk: reads begin before or after
	failed    error                 // why nothing may be written any more; the committer's own
	finish    func(*bbolt.Tx) error // brings a transaction to disk; tests have it fail
	committer sync.WaitGroup

	sweepEvery time.Duration
	stopSweep  context.CancelFunc
	sweeper    sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	followers map[string]*boltFollower
	calls     sync.WaitGroup // under way; none begins once closed

	closing sync.Once
	closeDB error
}

var _ Log = (*Bolt)(nil)

// boltQueue is how many changes wait in the queue; more wait in their callers.
const boltQueue = 256

// OpenBolt opens the log in the file, which it creates if there is none. It
// gives up after a second when another process has the file open, and returns
// an error that says so, or what else is wrong with the file. The log is to
// be closed.
func OpenBolt(path string, o BoltOptions) (*Bolt, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	db, opening, err := openBoltFile(path)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &Bolt{
		db: db, opening: opening, logger: o.Logger, finish: (*bbolt.Tx).Commit,
		queue:      make(chan *boltJob, boltQueue),
		sweepEvery: orDefault(o.SweepEvery, time.Minute),
		stopSweep:  cancel,
		followers:  map[string]*boltFollower{},
	}
	b.committer.Go(b.commitUntilClosed)
	b.sweeper.Go(func() { b.sweepUntilStopped(ctx) })
	return b, nil
}

// Close implements [Log].
func (b *Bolt) Close() error {
	b.closing.Do(func() {
		b.mu.Lock()
		b.closed = true
		b.mu.Unlock()
		b.stopSweep()
		b.sweeper.Wait()
		b.calls.Wait()
		close(b.queue)
		b.committer.Wait()
		b.closeDB = b.db.Close()
	})
	return b.closeDB
}

// begin counts a call in, unless the log is closed or the caller has gone.
func (b *Bolt) begin(ctx context.Context, channels ...string) error {
	for _, name := range channels {
		if name == "" || len(name) > maxBoltName {
			return ErrBadChannel
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	b.calls.Add(1)
	return nil
}

// Append implements [Log]. The outcome is unknown when ctx ends while the
// change is being written, or the disk fails at the last step of it.
func (b *Bolt) Append(ctx context.Context, channel string, keep Retention, drafts []Draft) ([]Result, error) {
	if err := b.begin(ctx, channel); err != nil {
		return nil, err
	}
	defer b.calls.Done()
	var results []Result
	var news []*Event
	err := b.change(ctx, &boltJob{
		work: func(tx *boltTx) (err error) {
			results, news, err = tx.append(channel, time.Now(), keep, drafts)
			return err
		},
		tell: func() { b.deliver(channel, news) },
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// Heads implements [Log].
func (b *Bolt) Heads(ctx context.Context, channels []string) ([]Head, error) {
	if err := b.begin(ctx, channels...); err != nil {
		return nil, err
	}
	defer b.calls.Done()
	heads, unused, err := b.readHeads(channels)
	if err != nil || len(unused) == 0 {
		return heads, err
	}
	err = b.change(ctx, &boltJob{work: func(tx *boltTx) error { return tx.use(unused, time.Now()) }})
	switch {
	case err == nil:
		heads, _, err = b.readHeads(channels) // one may have been forgotten meanwhile
		return heads, err
	case ctx.Err() != nil:
		return nil, unavailable(err)
	}
	// The disk takes nothing: that they were asked for is noted another time.
	return heads, nil
}

// Range implements [Log].
func (b *Bolt) Range(ctx context.Context, channel string, q Query) (Page, error) {
	if err := b.begin(ctx, channel); err != nil {
		return Page{}, err
	}
	defer b.calls.Done()
	return b.readPage(channel, q)
}

// boltFollower tells one Follow from another, also of the same Follower.
type boltFollower struct{ Follower }

// Follow implements [Log]. It calls f.Resync before it returns, and again
// only where the outcome of an append is unknown.
func (b *Bolt) Follow(channel string, f Follower) (stop func()) {
	own := &boltFollower{f}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return func() {}
	}
	b.followers[channel] = own
	b.mu.Unlock()
	f.Resync()
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.followers[channel] == own {
			delete(b.followers, channel)
		}
	}
}

func (b *Bolt) follower(channel string) *boltFollower {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.followers[channel]
}

func (b *Bolt) deliver(channel string, news []*Event) {
	f := b.follower(channel)
	if f == nil {
		return
	}
	for _, e := range news {
		f.Deliver(e)
	}
}

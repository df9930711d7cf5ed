package streams

import (
	"context"
	"sync"
)

// Share is what a batch has for one channel, and what became of it.
type Share struct {
	Channel string
	Drafts  []Draft

	Results []Result // one per draft, unless Err says otherwise
	Err     error    // as of Log.Append
}

// sharer is a log for which several shares at once are less work than one
// after the other.
type sharer interface {
	// AppendShares is Append for each of the shares, in their order and
	// without waiting for one before the next; it sets their results.
	AppendShares(ctx context.Context, shares []*Share, keep func(channel string) Retention)
}

// PublishShares publishes the shares of a batch, all of different channels,
// and returns when each has its results. One that fails does not fail others.
func (b *Broker) PublishShares(ctx context.Context, shares []*Share) {
	if l, ok := b.log.(sharer); ok {
		l.AppendShares(ctx, shares, b.options.Retention)
	} else {
		b.appendSideBySide(ctx, shares)
	}
	for _, s := range shares {
		b.published(s.Channel, s.Results, s.Err)
	}
}

// sharesAtOnce is how many channels of a batch are appended to at a time where
// the log knows nothing better: it hides the log's latency, and one client's
// batch leaves room for others.
const sharesAtOnce = 8

func (b *Broker) appendSideBySide(ctx context.Context, shares []*Share) {
	var all sync.WaitGroup
	next := make(chan *Share)
	for range min(sharesAtOnce, len(shares)) {
		all.Go(func() {
			for s := range next {
				s.Results, s.Err = b.log.Append(ctx, s.Channel, b.options.Retention(s.Channel), s.Drafts)
			}
		})
	}
	for _, s := range shares {
		next <- s
	}
	close(next)
	all.Wait()
}

package streams

import (
	"context"
	"fmt"
	"time"
)

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

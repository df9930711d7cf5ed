package client

import (
	"math/rand/v2"
	"time"
)

// backoff gives growing delays without an end, each by chance between a half
// and one and a half of what it stands at, so that those who failed together do
// not come back together.
type backoff struct {
	first, longest time.Duration
	at             time.Duration
}

func (c *Client) newBackoff() *backoff {
	b := &backoff{first: c.times.first, longest: c.times.longest}
	b.reset()
	return b
}

func (b *backoff) reset() { b.at = b.first }

func (b *backoff) next() time.Duration {
	d := b.at
	b.at = min(d+d/2, b.longest)
	return d/2 + rand.N(d+1)
}

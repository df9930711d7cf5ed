package streams

import "time"

const (
	tailSweepEvery = 5 * time.Second

	// pressedAge is how old an event in a tail may be while the node's budget
	// is exceeded: long enough for readers that keep up.
	pressedAge = time.Second

	// sweepPause is how long after a sweep that was asked for the next one may
	// begin: each looks at every busy channel.
	sweepPause = 100 * time.Millisecond
)

// sweepSoon asks for a sweep because the budget is exceeded.
func (b *Broker) sweepSoon() { signal(b.sweeps) }

// runSweeps forgets what is too old, and leaves channels nobody reads.
func (b *Broker) runSweeps() {
	tick := time.NewTicker(min(tailSweepEvery, b.options.Linger))
	defer tick.Stop()
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-b.sweeps:
			b.sweep(time.Now())
			b.pause(sweepPause)
		case <-tick.C:
			b.sweep(time.Now())
		}
	}
}

func (b *Broker) sweep(now time.Time) {
	tails, pages := b.options.TailAge, pageLife
	pressed := b.crowded.Swap(false) || b.overBudget()
	if pressed {
		tails = min(pressedAge, tails)
	}
	if pressed || b.manyPages() {
		pages = pressedPageLife
	}
	for _, c := range b.busy.all() {
		c.age(now.Add(-tails), now.Add(-pages))
		if b.beginLeaving(c, now) {
			b.leave(c)
		}
	}
}

// beginLeaving reports whether nobody has read the channel for a while; from
// then on whoever wants to read it waits until it is left.
func (b *Broker) beginLeaving(c *channel, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.readers > 0 || c.left != nil || now.Sub(c.idle) < b.options.Linger {
		return false
	}
	c.left = make(chan struct{})
	return true
}

func (b *Broker) leave(c *channel) {
	c.stop()
	c.forget()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.channels, c.name)
	close(c.left)
}

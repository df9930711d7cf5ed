package streams

import (
	"slices"
	"sync"
)

// busyList is the channels of a node that are to be looked at now and then:
// they hold events or pages, have readers that are not waiting for the next
// event, or no readers at all. Most channels are quiet, and cost nothing there.
type busyList struct {
	mu       sync.Mutex
	channels []*channel
}

func (l *busyList) add(c *channel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.busyAt = len(l.channels)
	l.channels = append(l.channels, c)
}

// remove gives back what a busy time took when it is over.
func (l *busyList) remove(c *channel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.channels) - 1
	moved := l.channels[last]
	l.channels[c.busyAt], moved.busyAt = moved, c.busyAt
	l.channels[last] = nil
	l.channels = l.channels[:last]
	if cap(l.channels) > 4*last+64 {
		l.channels = slices.Clone(l.channels)
	}
}

func (l *busyList) all() []*channel {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.channels)
}

// stir says that there is something to look after. The channel is locked.
func (c *channel) stir() {
	if !c.busy && !c.gone {
		c.busy = true
		c.broker.busy.add(c)
	}
}

// calm says so when there is not. The channel is locked.
func (c *channel) calm() {
	if c.busy && (c.gone || c.quiet()) {
		c.busy = false
		c.broker.busy.remove(c)
	}
}

func (c *channel) quiet() bool {
	open, waiting := c.count()
	return c.accounted == 0 && open > 0 && waiting == open
}

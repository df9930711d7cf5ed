package faultproxy

import (
	"context"
	"math"
	"net"
	"sync"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	// drainTime is how long a connection cut with FIN goes on reading what its
	// peers still send: closing over unread bytes would send RST.
	drainTime = time.Second
)

// link is one client's connection and the one to the target that belongs to it.
type link struct {
	proxy          *Proxy
	ctx            context.Context // done: nothing is forwarded any more
	cancel         context.CancelFunc
	opened         time.Time
	client, server *net.TCPConn // no server until it is dialled
	lanes          int          // that still forward
	over           bool         // both lanes are done, or it was cut
}

func (l *link) run(target string) {
	if l.dial(target) {
		var running sync.WaitGroup
		up := newLane(l, l.client, l.server)
		down := newLane(l, l.server, l.client)
		for _, f := range []func(){up.read, up.forward, down.read, down.forward} {
			running.Go(f)
		}
		l.cutWhenOld()
		running.Wait()
		l.server.Close()
	}
	l.client.Close()
	l.cancel()

	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	delete(l.proxy.links, l)
}

// dial connects to the target, without which the client is reset.
func (l *link) dial(target string) bool {
	ctx, cancel := context.WithTimeout(l.ctx, dialTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", target)

	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	switch {
	case err == nil && !l.over:
		l.server = conn.(*net.TCPConn)
		return true
	case err == nil:
		reset(conn.(*net.TCPConn))
	case !l.over:
		l.proxy.stats.Unreachable++
		reset(l.client)
	}
	return false
}

// cutWhenOld does what Faults.CutAfter asks for; it returns when nothing is
// forwarded any more.
func (l *link) cutWhenOld() {
	old := l.until(func(f Faults) time.Time {
		if f.CutAfter == 0 {
			return l.opened.Add(math.MaxInt64)
		}
		return l.opened.Add(f.CutAfter)
	})
	if old {
		l.cutNow()
	}
}

// until waits for the moment that due gives under the faults of the day;
// false when the link was over before.
func (l *link) until(due func(Faults) time.Time) bool {
	for l.ctx.Err() == nil {
		f, changed := l.proxy.current()
		timer := time.NewTimer(time.Until(due(f)))
		select {
		case <-timer.C:
			return true
		case <-changed:
		case <-l.ctx.Done():
		}
		timer.Stop()
	}
	return false
}

func (l *link) cutNow() {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	l.cut(l.proxy.faults.Reset)
}

// cut ends both sides at once. The caller holds the proxy's lock.
func (l *link) cut(withReset bool) {
	if !l.over {
		l.proxy.stats.Cut++
		l.end(withReset)
	}
}

// end is cut without counting. The caller holds the proxy's lock.
func (l *link) end(withReset bool) {
	l.over = true
	l.cancel()
	for _, c := range []*net.TCPConn{l.client, l.server} {
		switch {
		case c == nil:
		case withReset:
			reset(c)
		default:
			c.CloseWrite()
			c.SetReadDeadline(time.Now().Add(drainTime))
		}
	}
}

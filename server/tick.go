package server

import "time"

// tick does what is due at that time: warns of a token that expires and ends
// the feed when it has, sends signs of life, and gives up on a peer that shows
// none. It returns when to call again, the zero time when the feed is over.
func (f *feed) tick(now time.Time) time.Time {
	f.mu.Lock()
	id, closing, ended, endBy := f.id, f.closing, f.ended, f.endBy
	f.mu.Unlock()
	switch {
	case ended:
		return time.Time{}
	case closing && now.Before(endBy):
		return endBy
	case closing:
		f.end()
		return time.Time{}
	case f.vanished(now):
		f.hub.vanished.Add(1)
		f.hub.log.Debug("peer vanished", "connection", id)
		f.end()
		return time.Time{}
	}
	next := f.tickHeartbeat(now)
	next = earlier(next, f.tickPing(now))
	next = earlier(next, f.tickToken(now))
	return earlier(next, f.givenUp())
}

func earlier(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}

// began is what short-lived times are counted from: a clock that is set makes
// no peer silent.
var began = time.Now()

func sinceBegan(t time.Time) int64 { return int64(t.Sub(began)) }
func moment(n int64) time.Time     { return began.Add(time.Duration(n)) }

// tickToken warns once before the token expires, and closes the feed then.
func (f *feed) tickToken(now time.Time) (next time.Time) {
	f.mu.Lock()
	if due := f.tokenDue(); due.IsZero() || now.Before(due) {
		f.mu.Unlock()
		return due
	}
	end := f.claims.Expires
	if !f.warned {
		f.warned = true
		f.queue(f.transport.expiring(nil, end))
	}
	f.mu.Unlock()
	if !now.Before(end) {
		f.close(errExpired)
	}
	return end
}

// tokenDue is when the peer is to be warned that its token expires, and once
// it was, when that is. Zero for a token that does not.
func (f *feed) tokenDue() time.Time {
	switch {
	case f.claims == nil || f.claims.Expires.IsZero():
		return time.Time{}
	case f.warned:
		return f.claims.Expires
	}
	return f.claims.Expires.Add(-warnBefore)
}

// errExpired ends a feed whose token has expired.
var errExpired = unauthorized("the token has expired", "the token has expired")

// tickHeartbeat sends a heartbeat into a silence, and with it a ping if one is
// due before the next: idle feeds are most of what a node holds, and each that
// is looked at and written to costs. A feed has its own time for that, once in
// the interval, and another one if something was written just before. While the
// peer has not taken what was written, there is no silence to break.
func (f *feed) tickHeartbeat(now time.Time) (next time.Time) {
	next, due := f.heartbeatDue(now)
	if due && f.state.CompareAndSwap(idle, delivering) {
		f.beat(now)
		f.deliver(f.hub.wheel.worker)
	}
	return next
}

// heartbeatDue returns when to look again, and whether a heartbeat is due now.
func (f *feed) heartbeatDue(now time.Time) (next time.Time, due bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Before(f.alive.due) {
		return f.alive.due, false
	}
	interval := f.hub.wheel.within(f.hub.pace.Heartbeat)
	last := moment(f.last.Load())
	if due = now.Sub(last) >= interval/5; due {
		f.alive.due = now.Add(interval)
	} else {
		f.alive.due = scatter(last, interval)
	}
	return f.alive.due, due
}

func (f *feed) beat(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closing || f.ended {
		return
	}
	f.control = f.transport.heartbeat(f.control, f.hub.wheel.stamp)
	if f.transport.answers() && now.Add(f.hub.pace.Heartbeat).After(f.alive.ping.Add(f.hub.pace.Ping)) {
		f.alive.ping = now
		f.control = f.transport.ping(f.control)
	}
}

// scatter is when the interval that began at since is over, or up to four
// fifths of it sooner: feeds that came together, or got an event together just
// before their times, are kept alive evenly from then on.
func scatter(since time.Time, interval time.Duration) time.Time {
	const golden = 0x9e3779b97f4a7c15 // scatters moments that are close to each other
	part := float64(uint64(since.UnixNano())*golden) / (1 << 64)
	return since.Add(interval - time.Duration(part*float64(interval*4/5)))
}

// tickPing asks a peer for a sign of life that got no heartbeat for long, and
// so no ping with it.
func (f *feed) tickPing(now time.Time) (next time.Time) {
	if !f.transport.answers() {
		return time.Time{}
	}
	interval := f.hub.wheel.within(f.hub.pace.Ping)
	f.mu.Lock()
	due := f.alive.ping.Add(interval)
	if !now.Before(due) {
		f.alive.ping = now
	}
	f.mu.Unlock()
	if now.Before(due) {
		return due
	}
	if f.state.Load() == idle {
		f.offer(f.transport.ping(nil))
	}
	return now.Add(interval)
}

// vanished reports whether the peer has neither sent nor taken a byte for too
// long. Taken is what its TCP acknowledged: the kernel accepts heartbeats for
// a vanished peer for minutes, and a slow peer takes bytes while its socket
// stays full.
func (f *feed) vanished(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	heard := moment(f.heard.Load())
	if heard.After(f.alive.since) {
		f.alive.since = heard
	}
	if !f.alive.owes && now.Sub(heard) < f.hub.pace.Heartbeat {
		return false // its pong spares asking the system
	}
	pending, known := f.outlet.unacknowledged()
	taken := f.wrote.Load() - int64(pending)
	f.alive.owes = known && pending > 0
	if !f.alive.owes || taken > f.alive.taken {
		f.alive.taken = max(taken, f.alive.taken)
		f.alive.since = now
	}
	return now.Sub(f.alive.since) >= f.hub.pace.Silence
}

// givenUp is when the peer will have vanished if it takes nothing more, zero if
// it has taken everything: then it cannot before it gets the next heartbeat.
func (f *feed) givenUp() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.alive.owes {
		return time.Time{}
	}
	return f.alive.since.Add(f.hub.pace.Silence)
}

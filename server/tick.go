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
	case f.silent(now):
		f.hub.vanished.Add(1)
		f.hub.log.Debug("peer vanished", "connection", id)
		f.end()
		return time.Time{}
	}
	next := now.Add(f.hub.pace.Silence / 6)
	next = earlier(next, f.tickToken(now))
	next = earlier(next, f.tickHeartbeat(now))
	return earlier(next, f.tickPing(now))
}

func earlier(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}

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

// tickHeartbeat queues a heartbeat after a silence. While the peer has not
// taken what was written before, there is no silence to break.
func (f *feed) tickHeartbeat(now time.Time) (next time.Time) {
	if due := spread(time.Unix(0, f.last.Load()), f.hub.pace.Heartbeat); now.Before(due) {
		return due
	}
	if f.state.Load() == idle {
		f.offer(f.transport.heartbeat(nil, now))
	}
	return spread(now, f.hub.pace.Heartbeat)
}

// spread is when the interval that began at since is over, or up to a quarter
// of it earlier: feeds that came together, or got an event together, are not
// to be kept alive together for ever.
func spread(since time.Time, interval time.Duration) time.Time {
	const golden = 0x9e3779b97f4a7c15 // scatters moments that are close to each other
	part := float64(uint64(since.UnixNano())*golden) / (1 << 64)
	return since.Add(interval - time.Duration(part*float64(interval/4)))
}

func (f *feed) tickPing(now time.Time) (next time.Time) {
	f.mu.Lock()
	due := spread(f.alive.ping, f.hub.pace.Ping)
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
	return spread(now, f.hub.pace.Ping)
}

// silent reports whether the peer has neither sent nor taken a byte for too
// long. Taken is what its TCP acknowledged: the kernel accepts heartbeats for
// a vanished peer for minutes, and a slow peer takes bytes while its socket
// stays full.
func (f *feed) silent(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	pending, known := f.outlet.unacknowledged()
	taken := f.wrote.Load() - int64(pending)
	if !known || pending == 0 || taken > f.alive.taken {
		f.alive.taken = max(taken, f.alive.taken)
		f.alive.since = now
	}
	if heard := time.Unix(0, f.heard.Load()); heard.After(f.alive.since) {
		f.alive.since = heard
	}
	return now.Sub(f.alive.since) >= f.hub.pace.Silence
}

package server

import (
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"runnel/auth"
)

// admissions counts connections: all of them, by network and by user. Its maps
// hold nobody who has no connection, so the node's limit bounds them.
type admissions struct {
	limits    Limits
	mu        sync.Mutex
	total     int
	byNetwork map[netip.Prefix]int
	byUser    map[string]int
}

func newAdmissions(l Limits) *admissions {
	return &admissions{limits: l, byNetwork: make(map[netip.Prefix]int), byUser: make(map[string]int)}
}

// admission is what a connection counts for. The zero admission counts for
// nothing.
type admission struct {
	all  *admissions
	from netip.Prefix
	user string
	open *atomic.Int64 // of its transport
}

// admit counts a connection that is to stay open, or says which limit it is
// over. With claims it counts for their user too; a WebSocket that has yet to
// authenticate comes without, and calls admitUser when it has. The caller
// releases the admission once, when the connection has ended.
func (s *Server) admit(a *admission, r *http.Request, claims *auth.Claims, open *atomic.Int64) error {
	from := network(s.clientIP(r))
	if err := s.admissions.enter(from); err != nil {
		return err
	}
	a.all, a.from, a.open = s.admissions, from, open
	open.Add(1)
	if claims == nil {
		return nil
	}
	if err := a.admitUser(claims); err != nil {
		a.release()
		return err
	}
	return nil
}

// admitUser counts an admitted connection for its user. Those without a name,
// as in demo mode, share no limit.
func (a *admission) admitUser(claims *auth.Claims) error {
	if claims.APIKey || claims.Subject == "" {
		return nil
	}
	if err := a.all.enterUser(claims.Subject); err != nil {
		return err
	}
	a.user = claims.Subject
	return nil
}

func (a *admission) release() {
	if a.open != nil {
		a.open.Add(-1)
	}
	if a.all != nil {
		a.all.leave(a.from, a.user)
	}
	*a = admission{}
}

// mostRefused is how many WebSockets are open just to be told why they are
// refused. Each takes a file until its peer hangs up, seconds at most.
const mostRefused = 128

// admitRefused counts a WebSocket that was accepted to be refused; false when
// there are too many of them already.
func (s *Server) admitRefused(a *admission) bool {
	if s.open.refused.Add(1) > mostRefused {
		s.open.refused.Add(-1)
		return false
	}
	a.open = &s.open.refused
	return true
}

func (a *admissions) enter(from netip.Prefix) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.total >= a.limits.Connections {
		return fault(codeConnectionLimit, "this node has as many connections as it can carry")
	}
	if over(a.byNetwork[from], a.limits.ConnectionsPerIP) {
		return fault(codeConnectionLimit, "too many connections from this address")
	}
	a.total++
	a.byNetwork[from]++
	return nil
}

func (a *admissions) enterUser(user string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if over(a.byUser[user], a.limits.ConnectionsPerUser) {
		return fault(codeConnectionLimit, "too many connections of this user")
	}
	a.byUser[user]++
	return nil
}

// leave takes back what enter counted, and enterUser unless user is "".
func (a *admissions) leave(from netip.Prefix, user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.total--
	lower(a.byNetwork, from)
	if user != "" {
		lower(a.byUser, user)
	}
}

// count is how many connections there are.
func (a *admissions) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.total
}

func over(count, limit int) bool { return limit > 0 && count >= limit }

func lower[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}

const (
	// fewOpenFiles is what systems have allowed for decades.
	fewOpenFiles = 1024
	// mostConnections is where memory ends before open files do: a million
	// idle ones take some GiB.
	mostConnections = 1_000_000
)

// connectionsFor is how many connections a limit of open files leaves room
// for: a tenth of it, 64 at least, is for the store, the listeners, and the
// requests of publishers and of whoever asks how the node is.
func connectionsFor(files int) int {
	return min(max(files-max(files/10, 64), 1), mostConnections)
}

// placesFor is how many connections there may be in all, feeds and others: a
// twentieth of the files, 48 at least, is kept for the store, the listeners and
// the admin address. So some are left for requests where feeds are at their
// limit.
func placesFor(files int) int { return max(files-max(files/20, 48), 1) }

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

// admit counts a connection that is to stay open, or says which limit it is
// over. With claims it counts for their user too; a WebSocket that has yet to
// authenticate comes without, and calls admitUser when it has. The caller
// calls release, once or more, when the connection has ended.
func (s *Server) admit(r *http.Request, claims *auth.Claims) (release func(), err error) {
	leave, err := s.admissions.enter(network(s.clientIP(r)))
	if err != nil || claims == nil {
		return leave, err
	}
	leaveUser, err := s.admitUser(claims)
	if err != nil {
		leave()
		return nil, err
	}
	return func() { leave(); leaveUser() }, nil
}

// admitUser counts an admitted connection for its user. Those without a name,
// as in demo mode, share no limit.
func (s *Server) admitUser(claims *auth.Claims) (release func(), err error) {
	if claims.APIKey || claims.Subject == "" {
		return func() {}, nil
	}
	return s.admissions.enterUser(claims.Subject)
}

func (a *admissions) enter(from netip.Prefix) (leave func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.total >= a.limits.Connections {
		return nil, fault(codeConnectionLimit, "this node has as many connections as it can carry")
	}
	if over(a.byNetwork[from], a.limits.ConnectionsPerIP) {
		return nil, fault(codeConnectionLimit, "too many connections from this address")
	}
	a.total++
	a.byNetwork[from]++
	return sync.OnceFunc(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.total--
		lower(a.byNetwork, from)
	}), nil
}

func (a *admissions) enterUser(user string) (leave func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if over(a.byUser[user], a.limits.ConnectionsPerUser) {
		return nil, fault(codeConnectionLimit, "too many connections of this user")
	}
	a.byUser[user]++
	return sync.OnceFunc(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		lower(a.byUser, user)
	}), nil
}

// counted counts a connection as open until it is released.
func counted(open *atomic.Int64, release func()) func() {
	open.Add(1)
	return func() { open.Add(-1); release() }
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

package server

import (
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"runnel/auth"
)

// requests counts what users ask for over HTTP, where each request is one
// message of a WebSocket, and how much of it is under way: a page or a batch
// is held in memory whole, and reads of history share a few places.
type requests struct {
	limits Limits

	mu     sync.Mutex
	users  map[string]*requester
	remain int // how many were left when those who rest were last dropped
}

type requester struct {
	limiter *rate.Limiter
	under   int // requests not yet answered
}

func newRequests(l Limits) *requests {
	return &requests{limits: l, users: make(map[string]*requester)}
}

// enter counts a request, or says which limit it is over. The caller calls
// leave once, when it has been answered. Servers with an API key, and in demo
// mode those without a name, have no limit.
func (q *requests) enter(claims *auth.Claims) (leave func(), err error) {
	if claims.APIKey || claims.Subject == "" {
		return func() {}, nil
	}
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.user(claims.Subject, now)
	switch {
	case u.under >= q.limits.RequestsAtOnce:
		return nil, fault(codeRateLimited, "too many requests at once; wait for an answer before the next")
	case !u.limiter.AllowN(now, 1):
		return nil, fault(codeRateLimited, "too many requests; slow down")
	}
	u.under++
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		u.under--
	}, nil
}

// items counts items, each of which is a publish of its own, and returns how
// many of them are within the limit: the first ones.
func (q *requests) items(claims *auth.Claims, n int) (may int) {
	if claims.APIKey || claims.Subject == "" {
		return n
	}
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	limiter := q.user(claims.Subject, now).limiter
	for may < n && limiter.AllowN(now, 1) {
		may++
	}
	return may
}

// pass counts a request that is limited in another way while it lasts.
func (q *requests) pass(claims *auth.Claims) error {
	leave, err := q.enter(claims)
	if err == nil {
		leave()
	}
	return err
}

// user finds who asks. Those who rest are dropped whenever their number may
// have doubled, so the map is in proportion to those who ask just now.
func (q *requests) user(name string, now time.Time) *requester {
	u := q.users[name]
	if u != nil {
		return u
	}
	if len(q.users) > 2*q.remain+64 {
		q.drop(now)
	}
	u = &requester{limiter: rate.NewLimiter(q.limits.MessageRate, q.limits.MessageBurst)}
	q.users[name] = u
	return u
}

func (q *requests) drop(now time.Time) {
	for name, u := range q.users {
		if u.under == 0 && u.limiter.TokensAt(now) >= float64(q.limits.MessageBurst) {
			delete(q.users, name)
		}
	}
	q.remain = len(q.users)
}

// asUser makes a handler of one that needs to know who asks.
func (s *Server) asUser(handle func(echo.Context, *auth.Claims) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		claims, err := s.authenticate(c.Request())
		if err != nil {
			return err
		}
		leave, err := s.requests.enter(claims)
		if err != nil {
			return err
		}
		defer leave()
		return handle(c, claims)
	}
}

package streams

import (
	"sync"
	"time"
)

// awayAfter is how long no connection can be made before clients are sent
// away: a Redis that is restarted is back sooner than they would be.
const awayAfter = 500 * time.Millisecond

// redisFollowed is who hears of which channel.
type redisFollowed struct {
	mu      sync.Mutex
	live    map[string]*redisFollow // by pub/sub name
	changed map[string]struct{}     // pub/sub names to subscribe to, or not any more
	conn    *watchedConn            // what messages come through; nil while there is none
	failing time.Time               // since when nothing can be subscribed to; zero: something could be
	away    chan struct{}           // closed while that has gone on for awayAfter

	wake chan struct{} // has room for one: something has changed
}

// redisFollow is one call of Follow.
type redisFollow struct {
	Follower
	hears bool // the first Resync has been; what came before was for another one
}

func (s *redisFollowed) set(name string, own *redisFollow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[name] = own
	s.change(name)
}

func (s *redisFollowed) remove(name string, own *redisFollow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live[name] == own {
		delete(s.live, name)
		s.change(name)
	}
}

// change has the name looked at by the session, if there is one; a new one
// begins with all there are.
func (s *redisFollowed) change(name string) {
	if s.conn != nil {
		s.changed[name] = struct{}{}
	}
	signal(s.wake)
}

// takeChanged returns what is to be subscribed to and what is not any more.
func (s *redisFollowed) takeChanged() (subscribe, unsubscribe []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.changed {
		if s.live[name] != nil {
			subscribe = append(subscribe, name)
		} else {
			unsubscribe = append(unsubscribe, name)
		}
	}
	clear(s.changed)
	return subscribe, unsubscribe
}

// begin has a connection used from now on: everything is to be subscribed to.
func (s *redisFollowed) begin(conn *watchedConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = conn
	s.changed = make(map[string]struct{}, len(s.live))
	for name := range s.live {
		s.changed[name] = struct{}{}
	}
}

// confirmed says that a subscription was taken.
func (s *redisFollowed) confirmed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = time.Time{}
	if isClosed(s.away) {
		s.away = make(chan struct{})
	}
}

func (s *redisFollowed) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.changed = nil, nil
}

// failed says that no connection could be made, or none that took a subscription.
func (s *redisFollowed) failed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing.IsZero() {
		s.failing = time.Now()
	}
	if time.Since(s.failing) >= awayAfter && !isClosed(s.away) {
		close(s.away)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (s *redisFollowed) get(name string) *redisFollow {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[name]
}

func (s *redisFollowed) any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.live) > 0
}

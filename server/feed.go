package server

import (
	"sync"
	"sync/atomic"
	"time"

	"runnel/auth"
	"runnel/streams"
)

// feed is one connection carrying subscriptions, on either transport. It holds
// positions and, while the peer is slow, the rest of one frame; never a queue
// of events.
type feed struct {
	// What each delivery needs comes first and together: with thousands of
	// feeds, its time is that of fetching these lines from memory.
	state     atomic.Int32 // of its delivery: see schedule
	closing   bool         // only control goes out any more; guarded, as the next three, by mu
	parting   bool         // end as soon as that is done
	ended     bool
	final     bool // its peer was told not to come again
	mu        sync.Mutex
	turn      uint16 // of the subscription that is asked first; guarded by mu, as are flying, control and subs
	flying    bool   // some of control was gathered and is not written yet
	owed      int32  // events in left, which count once it is gone
	control   []byte // the hub's own frames, which go before events
	subs      []*streams.Subscription
	only      [1]*streams.Subscription // what subs begins with
	left      []byte                   // of what was last delivered, while the peer is slow; the deliverer's
	outlet    outlet
	transport transport
	worker    *worker
	wrote     atomic.Int64 // bytes handed to the outlet
	last      atomic.Int64 // when it last wrote: see sinceBegan

	hub       *hub
	id        string
	admission admission
	spoke     int64        // of the wheel, guarded by it
	heard     atomic.Int64 // when the peer last sent something, likewise

	// Guarded by mu.
	claims   *auth.Claims
	drained  *sync.Cond  // told when control or what was left went out, nil while nobody waits
	queued   int         // bytes that were ever queued in control
	gone     int         // those of them that went out
	unsent   int         // bytes of an event that are left
	endBy    time.Time   // when a closing feed ends whatever its peer does
	held     bool        // by a publish whose outcome the peer is to learn
	warned   bool        // that the token expires
	pending  *apiError   // why to close once it is not held any more
	overtime *time.Timer // closes a WebSocket that does not authenticate
	doing    func()      // ends the wait of a message that is being answered, nil while there is none
	alive    liveness
}

// liveness is when a peer last showed that it is there.
type liveness struct {
	taken int64 // bytes it had acknowledged at most
	owes  bool  // there were some it had not
	since time.Time
	ping  time.Time // when it was last pinged
	due   time.Time // when its next heartbeat is due, if it is silent then
}

// Delivery states: a feed stands in its worker's queue at most once, and is
// worked on by one goroutine at a time.
const (
	idle int32 = iota
	queued
	delivering
	again // delivering, and something came meanwhile
)

// Wake is called by a subscription that has something to read.
func (f *feed) Wake(*streams.Subscription) { f.schedule() }

// Crowd implements [streams.Member].
func (f *feed) Crowd() streams.Crowd { return f.worker }

// schedule has the feed's worker deliver soon.
func (f *feed) schedule() {
	for {
		switch s := f.state.Load(); s {
		case idle:
			if f.state.CompareAndSwap(idle, queued) {
				f.worker.push(f)
				return
			}
		case delivering:
			if f.state.CompareAndSwap(delivering, again) {
				return
			}
		default:
			return
		}
	}
}

// rest ends a delivery.
func (f *feed) rest() {
	if !f.state.CompareAndSwap(delivering, idle) {
		f.state.Store(queued)
		f.worker.push(f)
	}
}

// subscribe adds a subscription to the feed, after the frame that announces
// it. It reports false when the feed is closing; the caller then closes the
// subscription.
func (f *feed) subscribe(s *streams.Subscription, announce []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awaitRoom(len(announce))
	if !f.queue(announce) {
		return false
	}
	f.carry(s)
	return true
}

// carry adds subscriptions; the first one needs no memory of its own.
func (f *feed) carry(subs ...*streams.Subscription) {
	if f.subs == nil {
		f.subs = f.only[:0]
	}
	f.subs = append(f.subs, subs...)
}

// unsubscribe takes the channel's subscription out of the feed and queues the
// frame that says so; no event of the channel comes after it. It reports
// whether there was one.
func (f *feed) unsubscribe(channel string, announce []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awaitRoom(len(announce))
	for i, s := range f.subs {
		if s.Channel() == channel {
			f.subs = append(f.subs[:i:i], f.subs[i+1:]...)
			f.only[0] = nil
			f.queue(announce)
			s.Close()
			return true
		}
	}
	return false
}

// subscribed returns how many subscriptions the feed has, and whether one of
// them is of the channel.
func (f *feed) subscribed(channel string) (n int, has bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.subs {
		has = has || s.Channel() == channel
	}
	return len(f.subs), has
}

// renew gives the feed the claims of a new token.
func (f *feed) renew(claims *auth.Claims) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.claims, f.warned = claims, false
	f.watchToken()
}

// watchToken has the wheel look at a new token when its end comes near.
func (f *feed) watchToken() {
	if due := f.tokenDue(); !due.IsZero() {
		f.hub.wheel.add(f, earlier(time.Now().Add(f.hub.pace.Heartbeat), due))
	}
}

// welcome gives the feed the claims of its first token, and a connection ID
// that belongs to that user, or says which limit the user is over.
func (f *feed) welcome(claims *auth.Claims) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return nil
	}
	if err := f.admission.admitUser(claims); err != nil {
		return err
	}
	f.claims, f.id = claims, newConnectionID(claims.Subject)
	f.watchToken()
	return nil
}

// channels returns what the feed is subscribed to.
func (f *feed) channels() (names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.subs {
		names = append(names, s.Channel())
	}
	return names
}

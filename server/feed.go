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
	hub       *hub
	worker    *worker
	transport transport
	outlet    outlet
	id        string
	release   func() // gives back what admission counted

	spoke int64        // of the wheel, guarded by it
	state atomic.Int32 // of its delivery: see schedule
	wrote atomic.Int64 // bytes handed to the outlet
	last  atomic.Int64 // when it last wrote, Unix nanoseconds
	heard atomic.Int64 // when the peer last sent something

	mu      sync.Mutex
	claims  *auth.Claims
	subs    []*streams.Subscription
	turn    int        // of the subscription that is asked first
	watch   *watch     // of its socket, nil while a goroutine reads
	control []byte     // the hub's own frames, which go before events
	drained *sync.Cond // told when control went out, nil while nobody waits
	closing bool       // only control goes out any more
	parting bool       // end as soon as that is done
	ended   bool
	endBy   time.Time // when a closing feed ends whatever its peer does
	warned  bool      // that the token expires
	alive   liveness
}

// liveness is when a peer last showed that it is there.
type liveness struct {
	taken int64 // bytes it had acknowledged at most
	since time.Time
	ping  time.Time
}

// maxControl bounds the hub's own frames that wait for a slow peer: answers to
// its own messages, so whoever asks for more waits until it has taken these.
const maxControl = 256 << 10

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

// send queues a frame of the hub's own. While a slow peer has not taken the
// ones before, the caller, who serves that peer alone, waits. It reports false
// when the feed is closing.
func (f *feed) send(frame []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awaitRoom()
	return f.queue(frame)
}

// awaitRoom waits, with f.mu held, until the peer has taken enough of the
// hub's own frames. Only the goroutine that serves that peer may call it.
func (f *feed) awaitRoom() {
	for len(f.control) > maxControl && !f.closing && !f.ended {
		if f.drained == nil {
			f.drained = sync.NewCond(&f.mu)
		}
		f.drained.Wait()
	}
}

// offer queues a frame that may as well be dropped, without waiting.
func (f *feed) offer(frame []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.control) <= maxControl {
		f.queue(frame)
	}
}

func (f *feed) queue(frame []byte) bool {
	if f.closing || f.ended {
		return false
	}
	f.control = append(f.control, frame...)
	f.schedule()
	return true
}

// close ends the feed in good order: what is being written is finished, the
// goodbye is said, events that come later are for another connection. It
// reports false when the feed was closing already.
func (f *feed) close(why *apiError) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closing || f.ended {
		return false
	}
	f.queue(f.transport.goodbye(nil, why))
	f.startClosing()
	return true
}

// closeWith closes the feed with a frame as its last word.
func (f *feed) closeWith(frame []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.queue(frame) {
		f.startClosing()
	}
}

// startClosing lets only what is queued out. The peer has closeTimeout to take
// it and to answer.
func (f *feed) startClosing() {
	f.closing = true
	f.parting = f.parting || !f.transport.awaitsClose()
	f.wakeSenders()
	f.endBy = time.Now().Add(closeTimeout)
	f.hub.wheel.add(f, f.endBy)
}

// closeTimeout is how long a feed that is closing may take.
const closeTimeout = 5 * time.Second

// closeAfterQueued closes the feed with what is queued as its last words.
func (f *feed) closeAfterQueued() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closing && !f.ended {
		f.startClosing()
	}
}

// part ends the feed once what is queued is written.
func (f *feed) part() {
	f.closeAfterQueued()
	f.mu.Lock()
	f.parting = true
	f.mu.Unlock()
	f.schedule()
}

// isClosing reports whether the feed takes nothing new any more, and until
// when it may take to end.
func (f *feed) isClosing() (bool, time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closing || f.ended, f.endBy
}

// end ends the feed at once. It may be called more than once.
func (f *feed) end() {
	f.mu.Lock()
	if f.ended {
		f.mu.Unlock()
		return
	}
	f.ended = true
	subs, watch := f.subs, f.watch
	f.subs, f.control = nil, nil
	f.wakeSenders()
	f.mu.Unlock()
	if watch != nil {
		watch.forget()
	}
	for _, s := range subs {
		s.Close()
	}
	f.outlet.close()
	f.release()
	f.hub.remove(f)
}

func (f *feed) wakeSenders() {
	if f.drained != nil {
		f.drained.Broadcast()
	}
}

// subscribe adds a subscription to the feed, after the frame that announces
// it. It reports false when the feed is closing; the caller then closes the
// subscription.
func (f *feed) subscribe(s *streams.Subscription, announce []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awaitRoom()
	if !f.queue(announce) {
		return false
	}
	f.subs = append(f.subs, s)
	return true
}

// unsubscribe takes the channel's subscription out of the feed and queues the
// frame that says so; no event of the channel comes after it. It reports
// whether there was one.
func (f *feed) unsubscribe(channel string, announce []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awaitRoom()
	for i, s := range f.subs {
		if s.Channel() == channel {
			f.subs = append(f.subs[:i:i], f.subs[i+1:]...)
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

// hearOf has readable called whenever the peer has sent something, until it
// has been read to its end; after that, call listen for the next. It reports
// false when the connection cannot be watched and needs a goroutine to read it.
func (f *feed) hearOf(readable func()) bool {
	o, ok := f.outlet.(*tcpOutlet)
	if !ok || f.hub.poller == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.ended {
		f.watch = f.hub.poller.add(o.raw, readable)
	}
	return true
}

// listen waits for the peer's next bytes without a goroutine. A feed that has
// ended hears nothing.
func (f *feed) listen() {
	f.mu.Lock()
	watch := f.watch
	f.mu.Unlock()
	if watch == nil || watch.again() != nil {
		f.end()
	}
}

// wantsPongs reports whether a ping is still answered: nothing may follow a
// close frame.
func (f *feed) wantsPongs() bool {
	closing, _ := f.isClosing()
	return !closing
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
// that belongs to that user.
func (f *feed) welcome(claims *auth.Claims, release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		release()
		return
	}
	f.claims, f.id = claims, newConnectionID(claims.Subject)
	before := f.release
	f.release = func() { before(); release() }
	f.watchToken()
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

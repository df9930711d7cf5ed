package server

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"runnel/auth"
)

// hub is the node's feeds and the workers that deliver to them.
type hub struct {
	pace     Pace
	log      *slog.Logger
	wheel    *wheel
	poller   *poller // nil where there is none
	workers  []*worker
	next     atomic.Uint32 // worker for the next feed
	vanished atomic.Uint64 // peers that took and sent nothing any more

	ctx    context.Context // ends with the hub
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu       sync.Mutex
	feeds    map[*feed]struct{}
	draining chan struct{} // closed when the node begins to drain
	closed   bool
}

// Pace is how often a node and its peers show each other that they are there.
// Zero values mean the defaults.
type Pace struct {
	// Heartbeat is after how long a silence a feed gets a heartbeat: 25 s,
	// below the 30 s after which the strictest proxies cut a quiet connection.
	Heartbeat time.Duration
	// Ping is how often a WebSocket peer is asked for a sign of life: 30 s.
	Ping time.Duration
	// Silence is how long a peer may neither send nor take a byte: 90 s, three
	// heartbeats that may have been lost on the way.
	Silence time.Duration
}

func (p *Pace) setDefaults() {
	p.Heartbeat = cmp.Or(p.Heartbeat, 25*time.Second)
	p.Ping = cmp.Or(p.Ping, 30*time.Second)
	p.Silence = cmp.Or(p.Silence, 90*time.Second)
}

// warnBefore is how long before its token expires a feed is told.
const warnBefore = 60 * time.Second

// newHub starts the workers. The caller closes the hub.
func newHub(pace Pace, log *slog.Logger, latency func(time.Duration)) *hub {
	ctx, cancel := context.WithCancel(context.Background())
	h := &hub{
		pace:     pace,
		log:      log,
		poller:   newPoller(),
		ctx:      ctx,
		cancel:   cancel,
		feeds:    map[*feed]struct{}{},
		draining: make(chan struct{}),
	}
	for range runtime.GOMAXPROCS(0) {
		w := newWorker(&tally{latency: latency})
		h.workers = append(h.workers, w)
		h.tasks.Go(func() { w.run(ctx) })
	}
	h.wheel = newWheel(min(pace.Heartbeat, pace.Ping, pace.Silence), newWorker(&tally{latency: latency}))
	h.tasks.Go(func() { h.wheel.run(ctx) })
	if h.poller != nil {
		h.tasks.Go(func() { h.poll(ctx) })
	}
	return h
}

// poll runs the poller. Should that fail, nobody would hear the peers it
// watches nor wait for them: so they are cut and come again, and each has a
// goroutine from then on.
func (h *hub) poll(ctx context.Context) {
	err := h.poller.run(ctx)
	if err == nil {
		return
	}
	h.log.Error("connections cannot be watched together any more; they are cut, and have a goroutine each when they come again", "cause", err)
	h.mu.Lock()
	feeds := h.list()
	h.mu.Unlock()
	for _, f := range feeds {
		if _, watched := f.outlet.(*descriptor); watched {
			f.end()
		}
	}
}

// newFeed returns a feed that is to be added once it has its outlet.
func (h *hub) newFeed(t transport, claims *auth.Claims, id string) *feed {
	w := h.workers[h.next.Add(1)%uint32(len(h.workers))]
	return &feed{hub: h, worker: w, transport: t, claims: claims, id: id}
}

// add takes in a feed and starts hear, which listens to its peer, in a
// goroutine; nil where a poller does. When the hub is closed it reports false,
// and the feed is the caller's to end.
func (h *hub) add(f *feed, hear func()) bool {
	now := time.Now()
	f.last.Store(sinceBegan(now))
	f.heard.Store(sinceBegan(now))
	f.alive = liveness{since: now, ping: scatter(now, h.pace.Ping).Add(-h.pace.Ping), due: scatter(now, h.wheel.within(min(h.pace.Heartbeat, h.pace.Ping)))}
	first := earlier(f.alive.due, f.tokenDue())
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.feeds[f] = struct{}{}
	h.wheel.add(f, first)
	if hear != nil {
		h.tasks.Go(hear)
	}
	return true
}

func (h *hub) remove(f *feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.feeds, f)
}

// isDraining reports whether the node has begun to drain.
func (h *hub) isDraining() bool {
	select {
	case <-h.draining:
		return true
	default:
		return false
	}
}

// drain tells every feed to move, spread over that time so that they do not
// all arrive elsewhere at once, and returns when none is left, or ctx ends.
func (h *hub) drain(ctx context.Context, over time.Duration) {
	h.mu.Lock()
	select {
	case <-h.draining:
	default:
		close(h.draining)
	}
	feeds := h.list()
	h.mu.Unlock()
	rand.Shuffle(len(feeds), func(i, j int) { feeds[i], feeds[j] = feeds[j], feeds[i] })
	began := time.Now()
	for i, f := range feeds {
		due := began.Add(over * time.Duration(i) / time.Duration(len(feeds)))
		if !sleepUntil(ctx, due) {
			break
		}
		f.close(errDraining)
	}
	h.awaitEmpty(ctx)
}

func (h *hub) list() []*feed {
	feeds := make([]*feed, 0, len(h.feeds))
	for f := range h.feeds {
		feeds = append(feeds, f)
	}
	return feeds
}

// awaitEmpty waits until no feed is left; those that came while others were
// told to move are told now.
func (h *hub) awaitEmpty(ctx context.Context) {
	for {
		h.mu.Lock()
		feeds := h.list()
		h.mu.Unlock()
		if len(feeds) == 0 {
			return
		}
		for _, f := range feeds {
			f.close(errDraining)
		}
		if !sleepUntil(ctx, time.Now().Add(20*time.Millisecond)) {
			return
		}
	}
}

// sleepUntil reports false when ctx ended first.
func sleepUntil(ctx context.Context, t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// close ends every feed at once and waits for all goroutines.
func (h *hub) close() {
	h.mu.Lock()
	h.closed = true
	feeds := h.list()
	h.mu.Unlock()
	for _, f := range feeds {
		f.end()
	}
	h.cancel()
	h.tasks.Wait()
}

// recheck closes the feeds whose claims no longer hold.
func (h *hub) recheck(holds func(*auth.Claims) *apiError) {
	h.mu.Lock()
	feeds := h.list()
	h.mu.Unlock()
	for _, f := range feeds {
		f.mu.Lock()
		claims := f.claims
		f.mu.Unlock()
		if why := holds(claims); why != nil {
			f.close(why)
		}
	}
}

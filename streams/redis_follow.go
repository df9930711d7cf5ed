package streams

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// followBackoff to followBackoffMax, doubling, is the wait before another
	// connection is made; one that lasted followSteady begins anew.
	followBackoff    = 50 * time.Millisecond
	followBackoffMax = 2 * time.Second
	followSteady     = 10 * time.Second

	// subscribeChunk bounds the channels named in one command.
	subscribeChunk = 500
)

// Follow implements [Log].
func (r *Redis) Follow(channel string, f Follower) (stop func()) {
	if !r.enter() {
		return func() {}
	}
	defer r.calls.Done()
	name, own := redisKeys(channel).live(), &redisFollow{Follower: f}
	r.followed.set(name, own)
	return func() { r.followed.remove(name, own) }
}

// Refollow drops the connection that messages come through and subscribes on
// a new one: for when messages that should come do not. Followers hear Resync.
func (r *Redis) Refollow() {
	r.followed.mu.Lock()
	conn := r.followed.conn
	r.followed.mu.Unlock()
	if conn != nil {
		_ = conn.cut(errRefollow)
	}
}

var errRefollow = errors.New("messages that were due did not come")

// Reconnects returns how often the connection that messages come through was
// made anew.
func (r *Redis) Reconnects() uint64 { return r.reconnects.Load() }

// Away returns a channel that is closed once the Redis has been away for half
// a second: nothing could be subscribed to in that time, and nothing has been since.
func (r *Redis) Away() <-chan struct{} {
	r.followed.mu.Lock()
	defer r.followed.mu.Unlock()
	return r.followed.away
}

func (r *Redis) startFollowing() {
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.followed.live = map[string]*redisFollow{}
	r.followed.wake, r.followed.away = make(chan struct{}, 1), make(chan struct{})
	r.following.Go(func() { r.follow(ctx) })
}

// follow keeps a session going while there is anybody to hear of anything.
func (r *Redis) follow(ctx context.Context) {
	wait, log := followBackoff, followLog{redis: r}
	for ctx.Err() == nil {
		if !r.followed.any() {
			select {
			case <-r.followed.wake:
			case <-ctx.Done():
			}
			continue
		}
		began := time.Now()
		err := r.session(ctx, log.followed)
		if ctx.Err() != nil {
			return
		}
		log.ended(r.named(err))
		if time.Since(began) > followSteady {
			wait = followBackoff
		}
		pause(ctx, wait/2+rand.N(wait))
		wait = min(2*wait, followBackoffMax)
	}
}

// followLog says what became of following, each thing once.
type followLog struct {
	redis    *Redis
	sessions int    // that were confirmed
	now      bool   // the last one is
	trouble  string // that was told of last, "" once it is over
}

// followed says that messages come.
func (l *followLog) followed() {
	if l.sessions++; l.sessions > 1 {
		l.redis.reconnects.Add(1)
		l.redis.logger.Info("following the Redis again")
	} else if l.trouble != "" {
		l.redis.logger.Info("following the Redis")
	}
	l.now, l.trouble = true, ""
}

// ended says why a session ended, or could not begin. A server that refuses
// tells something new after one that was away.
func (l *followLog) ended(cause error) {
	trouble := "away"
	if refused := (*refusal)(nil); errors.As(cause, &refused) {
		trouble = refused.says
	}
	switch {
	case l.now:
		l.redis.logger.Warn("lost the Redis that is followed; trying again", "cause", cause)
	case l.trouble != trouble:
		l.redis.logger.Warn("the Redis cannot be followed; trying again", "cause", cause)
	}
	l.now, l.trouble = false, trouble
}

// session follows over one connection, until that fails or ctx is done. It is
// confirmed once the server has taken a subscription.
//
// The library would make a new connection by itself, at a time of its own and
// without a word; so it gets a client whose only connection this is.
func (r *Redis) session(ctx context.Context, confirmed func()) error {
	options := *r.options
	line := &oneLine{ctx: ctx, dial: r.dial}
	options.Dialer = line.once
	client := redis.NewClient(&options)
	client.AddHook(helloHook{r})
	defer client.Close()
	pubsub := client.Subscribe(ctx)
	defer pubsub.Close()
	defer line.hangUp()
	// Connects; a ping is answered even when nothing is subscribed to yet.
	if err := pubsub.Ping(ctx); err != nil {
		r.followed.failed()
		return err
	}
	r.followed.begin(line.conn)
	defer r.followed.end()

	var tending sync.WaitGroup
	defer tending.Wait()
	tending.Go(func() { _ = line.conn.cut(r.tend(ctx, pubsub, line.conn)) })
	for known := false; ; {
		message, err := receive(ctx, pubsub)
		if err != nil {
			if !known {
				r.followed.failed()
			}
			return line.conn.cut(err)
		}
		if _, taken := message.(*redis.Subscription); taken && !known {
			known = true
			r.followed.confirmed()
			confirmed()
		}
		r.received(message)
	}
}

// receive is Receive, which panics at some of what no Redis would send. That is
// not worth a node.
func receive(ctx context.Context, pubsub *redis.PubSub) (message any, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("what came is no message: %v", v)
		}
	}()
	return pubsub.Receive(ctx)
}

// received takes one message to whom it concerns. It waits for nothing: Redis
// cuts off those who do not read.
func (r *Redis) received(message any) {
	switch m := message.(type) {
	case *redis.Subscription:
		// Every confirmation, not only the first: whichever of several quick
		// changes it belongs to, from here on nothing is missed until the next.
		if f := r.followed.get(m.Channel); f != nil && m.Kind == "subscribe" {
			f.hears = true
			f.Resync()
		}
	case *redis.Message:
		f := r.followed.get(m.Channel)
		if f == nil || !f.hears {
			return
		}
		e, err := parseMessage(m.Payload)
		if err != nil {
			// Another version's, or put there by hand. The log knows.
			f.Resync()
			return
		}
		f.Deliver(e)
	}
}

// tend keeps the subscriptions of a session as they should be, and ends when
// the connection is given up, which may be its own doing.
func (r *Redis) tend(ctx context.Context, pubsub *redis.PubSub, conn *watchedConn) error {
	tick := time.NewTicker(silenceTick)
	defer tick.Stop()
	for {
		if err := r.subscribe(ctx, pubsub); err != nil {
			return err
		}
		select {
		case <-r.followed.wake:
		case <-tick.C:
			if err := conn.check(func() error { return pubsub.Ping(ctx) }); err != nil {
				return err
			}
		case <-conn.gone:
			return conn.cause
		}
	}
}

func (r *Redis) subscribe(ctx context.Context, pubsub *redis.PubSub) error {
	subscribe, unsubscribe := r.followed.takeChanged()
	if err := inChunks(ctx, unsubscribe, pubsub.Unsubscribe); err != nil {
		return err
	}
	return inChunks(ctx, subscribe, pubsub.Subscribe)
}

func inChunks(ctx context.Context, names []string, do func(context.Context, ...string) error) error {
	for len(names) > 0 {
		n := min(len(names), subscribeChunk)
		if err := do(ctx, names[:n]...); err != nil {
			return err
		}
		names = names[n:]
	}
	return nil
}

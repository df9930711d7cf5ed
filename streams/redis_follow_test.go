package streams_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"runnel/streams"
	"runnel/streams/streamstest"
)

// listener is a follower that does what a broker has to: remember what it
// hears, and read the log at every Resync.
type listener struct {
	mu      sync.Mutex
	seen    map[streams.ID]bool
	heard   int // ephemeral ones included, what was read not
	resyncs int

	missed chan struct{}
}

func (l *listener) Deliver(e *streams.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard++
	l.seen[e.ID] = true
}

func (l *listener) Resync() {
	l.mu.Lock()
	l.resyncs++
	l.mu.Unlock()
	select {
	case l.missed <- struct{}{}:
	default:
	}
}

func (l *listener) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard
}

func (l *listener) times() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.resyncs
}

func (l *listener) knows(events []*streams.Event) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		if !l.seen[e.ID] {
			return false
		}
	}
	return true
}

// listen follows until the test ends, and returns once the log is heard.
func listen(t *testing.T, log streams.Log, channel string) *listener {
	t.Helper()
	l := listenAnyway(t, log, channel)
	within(t, "the first Resync", func() bool { return l.times() > 0 })
	return l
}

// listenAnyway is listen, with the log perhaps away.
func listenAnyway(t *testing.T, log streams.Log, channel string) *listener {
	l := &listener{seen: map[streams.ID]bool{}, missed: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case <-l.missed:
				l.read(ctx, log, channel)
			case <-ctx.Done():
				return
			}
		}
	})
	stop := log.Follow(channel, l)
	t.Cleanup(func() {
		stop()
		cancel()
		reader.Wait()
	})
	return l
}

// read reads all there is, however often that fails.
func (l *listener) read(ctx context.Context, log streams.Log, channel string) {
	for ctx.Err() == nil {
		page, err := log.Range(ctx, channel, everything)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		l.mu.Lock()
		for _, e := range page.Events {
			l.seen[e.ID] = true
		}
		l.mu.Unlock()
		return
	}
}

func TestRedisRefollow(t *testing.T) {
	server := streamstest.StartRedis(t)
	log := openRedis(t, server)
	log.Refollow() // nothing to drop yet
	ear := listen(t, log, "a")
	for i := range 3 {
		resyncs := ear.times()
		log.Refollow()
		within(t, "another Resync", func() bool { return ear.times() > resyncs })
		if n := log.Reconnects(); n != uint64(i+1) {
			t.Errorf("%d reconnects", n)
		}
	}
	add(t, log, "a", text("1"))
	within(t, "the event", func() bool { return ear.count() > 0 })
}

// More channels than go into one command, followed before there is a server.
func TestRedisFollowMany(t *testing.T) {
	server := streamstest.StartRedis(t)
	log := openRedis(t, server)
	ears := make([]*listener, 1300)
	for i := range ears {
		ears[i] = listenAnyway(t, log, fmt.Sprint("many:", i))
	}
	all := func(n int) func() bool {
		return func() bool {
			for _, ear := range ears {
				if ear.times() < n {
					return false
				}
			}
			return true
		}
	}
	within(t, "every Resync", all(1))
	log.Refollow()
	within(t, "every Resync again", all(2))
}

// However quickly a channel is left and followed again, the last follower
// knows everything once it heard Resync.
func TestRedisFollowAgain(t *testing.T) {
	server := streamstest.StartRedis(t)
	log := openRedis(t, server)
	for range 200 {
		log.Follow("a", &listener{seen: map[streams.ID]bool{}, missed: make(chan struct{}, 1)})()
	}
	ear := listen(t, log, "a")
	for i := range 50 {
		add(t, log, "a", text(fmt.Sprint(i)))
	}
	page := read(t, log, "a", everything)
	within(t, "all events", func() bool { return ear.knows(page.Events) })
}

// What others publish there is no event, and perhaps one was lost by it.
func TestRedisForeignMessage(t *testing.T) {
	server := streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	ear := listen(t, log, "a")
	resyncs := ear.times()
	if n := plain.Publish(t.Context(), "runnel:{a}:live", "hello").Val(); n != 1 {
		t.Fatalf("%d subscribers", n)
	}
	within(t, "a Resync", func() bool { return ear.times() > resyncs })
	if ear.count() != 0 {
		t.Error("delivered")
	}
}

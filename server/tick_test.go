package server

import (
	"testing"
	"time"
)

// TestScatter: feeds that came within a moment of each other are kept alive
// evenly over most of the interval, and none later than promised.
func TestScatter(t *testing.T) {
	const feeds, parts = 10_000, 10
	interval := 25 * time.Second
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var in [parts]int
	for i := range feeds {
		since := began.Add(time.Duration(i) * time.Microsecond)
		wait := scatter(since, interval).Sub(since)
		if wait > interval || wait < interval/5 {
			t.Fatalf("waits %v", wait)
		}
		in[min(int((interval-wait)*parts/(interval*4/5)), parts-1)]++
	}
	for i, n := range in {
		if n < feeds/parts*8/10 || n > feeds/parts*12/10 {
			t.Errorf("part %d of the time has %d feeds of %d", i, n, feeds)
		}
	}
}

// TestHeartbeatBringsPing: an idle WebSocket gets its pings with heartbeats, in
// one write.
func TestHeartbeatBringsPing(t *testing.T) {
	h := &hub{pace: Pace{Heartbeat: 25 * time.Second, Ping: 30 * time.Second, Silence: 90 * time.Second}}
	h.wheel = newWheel(h.pace.Heartbeat, newWorker(&tally{}))
	now := time.Now()
	out := &writes{}
	f := &feed{hub: h, transport: ws{}, outlet: out}
	f.alive = liveness{since: now, ping: now}
	f.last.Store(sinceBegan(now))
	for beat := range 3 {
		now = now.Add(h.pace.Heartbeat)
		next := f.tick(now)
		if len(*out) != beat+1 || (*out)[beat] != "\x81\x14{\"type\":\"heartbeat\"}\x89\x00" {
			t.Fatalf("at beat %d: %q", beat, *out)
		}
		if wait := next.Sub(now); wait > h.pace.Heartbeat || wait < h.pace.Heartbeat*9/10 {
			t.Fatalf("the next is %v later", wait)
		}
		f.last.Store(sinceBegan(now))
	}
}

// writes is an outlet that keeps what it was given, write by write.
type writes []string

func (o *writes) tryWrite(b []byte) (int, error) { *o = append(*o, string(b)); return len(b), nil }
func (o *writes) awaitWritable(*feed) error      { return nil }
func (o *writes) unacknowledged() (int, bool)    { return 0, true }
func (o *writes) close()                         {}

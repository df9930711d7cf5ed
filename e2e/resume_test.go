package e2e

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"runnel/faultproxy"
)

// traveller is a client that changes its transport, and if it likes the node,
// at every connection, and keeps nothing but its position.
type traveller struct {
	t        testing.TB
	channel  string
	position string // as Last-Event-ID
	trips    int
	seen     []string // the events' data
	ids      []string
	gaps     []gap
}

// trip connects over the next transport, reads until enough says so or the
// connection ends, and hangs up.
func (v *traveller) trip(addr string, enough func() bool) {
	v.t.Helper()
	v.trips++
	switch v.trips % 3 {
	case 0:
		v.feed(addr, enough)
	case 1:
		v.socket(addr, enough)
	case 2:
		v.poll(addr, enough)
	}
}

func (v *traveller) start(path string) string {
	if v.position == "" {
		return path
	}
	return path + "?last_event_id=" + url.QueryEscape(v.position)
}

func (v *traveller) feed(addr string, enough func() bool) {
	f, err := tryFeed(v.t, addr, v.start(events(v.channel)))
	if err != nil {
		return
	}
	defer f.close()
	for {
		b, err := f.next()
		if err != nil {
			return
		}
		switch b.event {
		case "", "message":
			v.arrived(b.data, b.id)
		case "runnel.gap":
			v.fell(parse[gap](v.t, []byte(b.data)))
		case "runnel.welcome":
			v.position = b.id
		case "runnel.error":
			return
		}
		if enough() {
			return
		}
	}
}

func (v *traveller) socket(addr string, enough func() bool) {
	s, _, err := trySocket(v.t, addr, v.start("/channels/"+v.channel+"/ws"))
	if err != nil || s == nil {
		return
	}
	defer s.close()
	for {
		m, err := s.next()
		if err != nil {
			return
		}
		switch m.Type {
		case "subscribed", "position":
			v.position = m.LastEventID
		case "gap":
			v.fell(m.gap())
		case "event":
			v.arrived(m.payload(), m.ID)
		}
		if enough() {
			return
		}
	}
}

func (v *traveller) poll(addr string, enough func() bool) {
	for {
		path := events(v.channel) + "?wait=2s&limit=50&last_event_id=" + url.QueryEscape(v.position)
		a, err := try("GET", "http://"+addr+path, "")
		if err != nil || a.status != 200 {
			return
		}
		p := parse[page](v.t, a.body)
		if p.Gap != nil {
			v.fell(*p.Gap)
		}
		for _, e := range p.Events {
			v.arrived(e.payload(), e.ID)
		}
		v.position = p.LastEventID
		if enough() {
			return
		}
	}
}

func (v *traveller) arrived(data, id string) {
	v.seen, v.ids = append(v.seen, data), append(v.ids, id)
	v.position = id
}

func (v *traveller) fell(g gap) {
	v.gaps = append(v.gaps, g)
	v.position = g.LastEventID
}

// until is an enough for trip: so many events in all.
func (v *traveller) until(n int) func() bool { return func() bool { return len(v.seen) >= n } }

// beginning takes a first position, without an event.
func (v *traveller) beginning(addr string) {
	v.t.Helper()
	for deadline := time.Now().Add(patience); v.position == "" && time.Now().Before(deadline); {
		v.trip(addr, func() bool { return v.position != "" })
	}
	if v.position == "" {
		v.t.Fatal("no transport gives a position")
	}
}

// TestEveryWayBack leaves on each transport and comes back on each, also
// before the channel's first event.
func TestEveryWayBack(t *testing.T) {
	t.Parallel()
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startNode(t, store...)
			for first := range 3 {
				for second := range 3 {
					v := &traveller{t: t, channel: fmt.Sprintf("c-%d-%d", first, second), trips: first}
					v.trip(n.Addr, func() bool { return v.position != "" })
					if v.position == "" || !strings.HasSuffix(v.position, "-0") {
						t.Fatalf("transport %d gives the position %q", first+1, v.position)
					}
					n.publishNumbers(v.channel, 1, 3)
					v.trips = second
					v.trip(n.Addr, v.until(2))
					n.publishNumbers(v.channel, 4, 5)
					v.trip(n.Addr, v.until(5))
					if !slices.Equal(v.seen, []string{"1", "2", "3", "4", "5"}) || len(v.gaps) > 0 {
						t.Errorf("by %d and then %d come %q, gaps %+v", first, second, v.seen, v.gaps)
					}
				}
			}
		})
	}
}

// storm publishes numbered events one after the other, with idempotency keys
// and again until each is acknowledged, from a goroutine of its own.
type storm struct {
	done chan struct{}
	ids  map[string]string // by data; to be read when done
}

// startStorm publishes name-1 … name-count, the events in turn on the nodes.
func startStorm(channel, name string, count int, pause time.Duration, addrs ...string) *storm {
	s := &storm{done: make(chan struct{}), ids: map[string]string{}}
	go func() {
		defer close(s.done)
		deadline := time.Now().Add(3 * patience)
		for i := 1; i <= count && time.Now().Before(deadline); i++ {
			data := fmt.Sprint(name, "-", i)
			for try := i; time.Now().Before(deadline); try++ {
				if id := publishOnce(addrs[try%len(addrs)], channel, data); id != "" {
					s.ids[data] = id
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			time.Sleep(pause)
		}
	}()
	return s
}

// publishOnce returns the ID, or "" when the hub did not acknowledge.
func publishOnce(addr, channel, data string) string {
	a, err := try("POST", "http://"+addr+events(channel), data, asText, "Idempotency-Key: "+data)
	if err != nil || a.status != 201 {
		return ""
	}
	_, rest, _ := strings.Cut(string(a.body), `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

// check is done when all was acknowledged and the traveller has seen it: each
// once, under the ID that the publisher got, each publisher's in order.
func (v *traveller) check(storms ...*storm) {
	v.t.Helper()
	want := map[string]string{}
	for _, s := range storms {
		<-s.done
		for data, id := range s.ids {
			want[data] = id
		}
	}
	last := map[string]int{}
	for i, data := range v.seen {
		if want[data] != v.ids[i] {
			v.t.Errorf("event %q came with the ID %s, published with %q (or it came twice)", data, v.ids[i], want[data])
		}
		delete(want, data)
		name, number := "", 0
		fmt.Sscanf(strings.Replace(data, "-", " ", 1), "%s %d", &name, &number)
		if number != last[name]+1 {
			v.t.Errorf("after %d of %s comes %d", last[name], name, number)
		}
		last[name] = number
	}
	if len(want) > 0 {
		v.t.Errorf("%d acknowledged events never came: %v", len(want), want)
	}
	if len(v.gaps) > 0 {
		v.t.Errorf("there are gaps: %+v", v.gaps)
	}
}

// travelUntil makes trips to the addresses that next names until so many
// events have come. When they do not, it says so and returns.
func travelUntil(v *traveller, total int, next func() string) {
	v.t.Helper()
	deadline := time.Now().Add(3 * patience)
	over := func() bool { return time.Now().After(deadline) } // a feed brings heartbeats for ever
	for len(v.seen) < total {
		if over() {
			v.t.Errorf("only %d of %d events came in %d trips", len(v.seen), total, v.trips)
			return
		}
		before := len(v.seen)
		enough := v.until(min(before+7, total))
		v.trip(next(), func() bool { return enough() || over() })
		if len(v.seen) == before {
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// TestCutConnections: the connection breaks at any byte, on every transport.
func TestCutConnections(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	proxy, err := faultproxy.Listen(n.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	const count = 150
	v := &traveller{t: t, channel: "c"}
	v.beginning(n.Addr)
	s := startStorm("c", "a", count, 3*time.Millisecond, n.Addr)
	cut := int64(700)
	travelUntil(v, count, func() string {
		cut = 600 + (cut*7+11)%900
		proxy.Set(faultproxy.Faults{Down: faultproxy.Lane{CutAfter: cut}, Reset: cut%2 == 0})
		web.CloseIdleConnections() // the next poll opens one that is cut
		return proxy.Addr()
	})
	v.check(s)
	if proxy.Stats().Cut == 0 {
		t.Error("nothing was cut")
	}
}

// TestRestart: a client comes back after the hub was ended and started again.
func TestRestart(t *testing.T) {
	t.Parallel()
	for name, store := range stores(t) {
		for transport := range 3 {
			t.Run(fmt.Sprint(name, " ", transport), func(t *testing.T) {
				if name != "bolt" { // one program at a time has the file
					t.Parallel()
				}
				n := startNode(t, store...)
				c := fmt.Sprint("c", transport)
				v := &traveller{t: t, channel: c, trips: transport}
				v.trip(n.Addr, func() bool { return v.position != "" })
				quiet := &traveller{t: t, channel: c + "quiet", trips: transport}
				quiet.trip(n.Addr, func() bool { return quiet.position != "" })
				n.publishNumbers(c, 1, 3)
				v.trip(n.Addr, v.until(3))
				n.publishNumbers(c, 4, 5)
				n.Stop()
				n.Restart()
				n.publishNumbers(c, 6, 7)
				n.publish(quiet.channel, "first")
				v.trips = transport
				quiet.trips = transport
				if name == "memory" {
					v.trip(n.Addr, v.until(5))
					quiet.trip(n.Addr, quiet.until(1))
					wantLost(t, v, []string{"1", "2", "3", "6", "7"})
					wantLost(t, quiet, []string{"first"})
					return
				}
				v.trip(n.Addr, v.until(7))
				quiet.trip(n.Addr, quiet.until(1))
				if !slices.Equal(v.seen, []string{"1", "2", "3", "4", "5", "6", "7"}) || len(v.gaps)+len(quiet.gaps) > 0 {
					t.Errorf("there come %q, gaps %+v %+v", v.seen, v.gaps, quiet.gaps)
				}
			})
		}
	}
}

// wantLost checks that one gap says that nobody knows what is missing.
func wantLost(t *testing.T, v *traveller, seen []string) {
	t.Helper()
	if !slices.Equal(v.seen, seen) || len(v.gaps) != 1 {
		t.Errorf("there come %q, gaps %+v", v.seen, v.gaps)
		return
	}
	if g := v.gaps[0]; g.Missed != nil || g.Reason != "unknown" && g.Reason != "rollback" || g.After == nil {
		t.Errorf("the gap is %+v", g)
	}
}

// TestKilledOnBolt: whatever was acknowledged is there after kill -9.
func TestKilledOnBolt(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--store", "bolt:"+filepath.Join(t.TempDir(), "runnel.db"))
	const count = 120
	v := &traveller{t: t, channel: "c"}
	v.beginning(n.Addr)
	a, b := startStorm("c", "a", count, 2*time.Millisecond, n.Addr), startStorm("c", "b", count, 2*time.Millisecond, n.Addr)
	travelled := make(chan struct{})
	go func() {
		defer close(travelled)
		travelUntil(v, 2*count, func() string { return n.Addr })
	}()
	for range 3 {
		holdFor(300 * time.Millisecond)
		n.Kill()
		n.Restart()
	}
	<-travelled
	v.check(a, b)
}

// holdFor lets load run for a while before the next fault.
func holdFor(d time.Duration) { <-time.After(d) }

package browsers

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"runnel/faultproxy"
	"runnel/hubtest"
)

var realIntervals = flag.Bool("real-intervals", false, "let runnel.js have the intervals that pages have, and what is away be away for a minute; print how long it takes")

// everything is more than any answer of a test has.
const everything = 1 << 30

// firewalls are what stands between a browser and the hub. The rung is where
// the client has to end up; after says how the fault goes away again, if it
// does, and is called once the client has had its troubles.
var firewalls = []struct {
	name  string
	rung  string
	rules faultproxy.Rules
	wires faultproxy.Faults
	lasts time.Duration // 0: for the whole test
}{
	{name: "none", rung: "ws"},
	{name: "upgrades refused", rung: "sse", rules: faultproxy.Rules{RefuseUpgrades: 403}},
	{name: "frames swallowed", rung: "sse", rules: faultproxy.Rules{SwallowFrames: true}},
	{name: "WebSockets cut at an age", rung: "ws", rules: faultproxy.Rules{CutUpgraded: 1500 * time.Millisecond}},
	{name: "streams buffered", rung: "ws", rules: faultproxy.Rules{Buffer: everything}},
	{name: "upgrades refused, streams buffered", rung: "poll", rules: faultproxy.Rules{RefuseUpgrades: 502, Buffer: everything}},
	{name: "upgrades refused, streams buffered up to 64 KiB", rung: "poll", rules: faultproxy.Rules{RefuseUpgrades: 400, Buffer: 64 << 10}},
	{name: "frames swallowed, streams buffered", rung: "poll", rules: faultproxy.Rules{SwallowFrames: true, Buffer: everything}},
	{name: "502 for a while", rung: "ws", rules: faultproxy.Rules{Status: 502}, lasts: 2 * time.Second},
	{name: "a slow network", rung: "ws", wires: faultproxy.Faults{Up: faultproxy.Lane{Delay: 150 * time.Millisecond}, Down: faultproxy.Lane{Delay: 150 * time.Millisecond}}},
	{name: "no network for a while", rung: "ws", wires: faultproxy.Faults{Up: faultproxy.Lane{Swallow: true}, Down: faultproxy.Lane{Swallow: true}}, lasts: 2 * time.Second},
	{name: "connections refused for a while", rung: "ws", wires: faultproxy.Faults{Refuse: true}, lasts: 2 * time.Second},
	{name: "every connection cut at an age", rung: "ws", wires: faultproxy.Faults{CutAfter: 1500 * time.Millisecond, Reset: true}},
}

// TestClientThroughFirewalls: whatever stands in the way, the client finds a
// rung that works, and gets what is published once, in order and in time.
func TestClientThroughFirewalls(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, "--heartbeat", "1s")
	for i, f := range firewalls {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			proxy := httpProxied(t, hub)
			proxy.SetRules(f.rules)
			proxy.Set(f.wires)
			if f.lasts > 0 {
				lift := time.AfterFunc(f.lasts, func() {
					proxy.SetRules(faultproxy.Rules{})
					proxy.Set(faultproxy.Faults{})
				})
				defer lift.Stop()
			}
			p := &publisher{t: t, url: hub.URL, channel: fmt.Sprint("wall-", i)}
			p.publish(1)
			began := time.Now()
			v := view{hub: "http://" + proxy.Addr(), channels: []string{p.channel}}
			pages := clients(t, options("", through(hub)), v)
			for _, page := range pages {
				page.await("event", 1)
				took := time.Since(began)
				if *realIntervals {
					t.Logf("| %s | %.8s | %s | %.1f s |", f.name, page.label, page.saw("connected")[0].Data, took.Seconds())
				}
			}
			for range 20 {
				p.publish(1)
				time.Sleep(100 * time.Millisecond) // for faults that come with age
			}
			awaitAll(pages, p)
			settled(pages)
			if *realIntervals && f.lasts > 0 {
				return // it climbs back after a minute
			}
			for _, page := range pages { // a fault that goes away between two rungs leaves it on the lower one for a while
				within(t, page.label+" to end up on "+f.rung, func() bool {
					states := page.saw("connected")
					return states[len(states)-1].Data == f.rung
				})
			}
		})
	}
}

// TestClientClimbsBack: when what stood in the way is gone, the client goes
// back up, and what is published meanwhile comes once.
func TestClientClimbsBack(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	proxy := httpProxied(t, hub)
	proxy.SetRules(faultproxy.Rules{SwallowFrames: true, Buffer: everything})
	p := &publisher{t: t, url: hub.URL, channel: "climbed"}
	pages := clients(t, options("", nil), view{hub: "http://" + proxy.Addr(), channels: []string{p.channel}})
	p.publish(5)
	awaitAll(pages, p)
	proxy.SetRules(faultproxy.Rules{})
	for _, page := range pages {
		within(t, page.label+" to climb", func() bool {
			p.publish(1)
			return slices.ContainsFunc(page.saw("connected"), func(s sight) bool { return s.Data == "ws" })
		})
	}
	p.publish(5)
	awaitAll(pages, p)
	settled(pages)
}

// through are the options of a client that comes from the hub itself and is to
// see the event published before, with the intervals that the run is for.
func through(hub *hubtest.Node) map[string]any {
	more := map[string]any{"module": hub.URL, "start": map[string]any{"lastEventId": "earliest"}, "share": false}
	if *realIntervals {
		more["timing"] = map[string]any{}
	}
	return more
}

func httpProxied(t testing.TB, n *hubtest.Node) *faultproxy.HTTP {
	t.Helper()
	p, err := faultproxy.ListenHTTP(n.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

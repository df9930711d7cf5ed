package browsers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	"runnel/faultproxy"
	"runnel/hubtest"
	"runnel/streams/streamstest"
)

// rungs are the rungs of the ladder, each alone.
var rungs = []string{"ws", "sse", "poll"}

// options writes options of a client as JSON; rung "" is all of them.
func options(rung string, more map[string]any) string {
	all := map[string]any{}
	if rung != "" {
		all["transports"] = []string{rung}
	}
	for name, value := range more {
		all[name] = value
	}
	b, _ := json.Marshal(all)
	return string(b)
}

// clients opens runnel.js in every browser, with options as JSON, and returns
// when its channels are live.
func clients(t testing.TB, options string, v view) (pages []*page) {
	t.Helper()
	c := cast(t)
	for _, b := range c.browsers {
		pages = append(pages, c.open(t, b, options, v))
	}
	for _, p := range pages {
		p.awaitLive()
	}
	return pages
}

// TestClientOnEachRung: live, and resumed after cuts, on each rung alone and
// on all; handlers that throw do no harm.
func TestClientOnEachRung(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	for _, rung := range append(rungs, "") {
		name := "rung-" + rung
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := proxied(t, hub)
			p := &publisher{t: t, url: hub.URL, channel: name}
			pages := clients(t, options(rung, nil), view{hub: "http://" + proxy.Addr(), channels: []string{p.channel}})
			p.publish(5)
			awaitAll(pages, p)
			for range 3 {
				proxy.Reset()
				p.publish(5)
				awaitAll(pages, p)
			}
			for _, page := range pages {
				page.await("thrown", len(p.published))
				if rung == "" { // on a slow machine another one may have been quicker
					page.within("the highest rung", func() bool { return page.was("ws") })
				} else if begun := page.saw("connected")[0].Data; begun != rung {
					t.Errorf("%s begins on %s", page.label, begun)
				}
			}
			settled(pages)
		})
	}
}

// was reports whether the page was connected by that rung.
func (p *page) was(rung string) bool {
	return slices.ContainsFunc(p.saw("connected"), func(s sight) bool { return s.Data == rung })
}

// TestClientPublishes: what a page publishes is there once and in order,
// though the hub is killed meanwhile.
func TestClientPublishes(t *testing.T) {
	t.Parallel()
	for _, rung := range []string{"ws", "sse"} {
		t.Run(rung, func(t *testing.T) {
			t.Parallel()
			hub := hubtest.Start(t, "--store", "bolt:"+filepath.Join(t.TempDir(), "runnel.db"))
			const total = 200
			pages := clients(t, options(rung, map[string]any{"publish": total, "start": map[string]any{"lastEventId": "earliest"}}), view{hub: hub.URL, channels: []string{"out"}})
			pages[0].await("published", 50)
			hub.Kill()
			hub.Restart()
			for _, page := range pages {
				page.await("published", total)
			}
			settled(pages)
			for _, page := range pages {
				var ids []string
				for _, s := range page.saw("published") {
					ids = append(ids, s.ID)
				}
				if !slices.IsSortedFunc(ids, compareIDs) || len(slices.Compact(ids)) != total {
					t.Errorf("%s published out of order or twice: %v", page.label, ids)
				}
			}
			within(t, "each page to see all", func() bool {
				return !slices.ContainsFunc(pages, func(p *page) bool { return len(p.events("out")) < 2*total })
			})
			for _, page := range pages {
				if n := len(page.events("out")); n != 2*total {
					t.Errorf("%s saw %d events of %d", page.label, n, 2*total)
				}
			}
		})
	}
}

func compareIDs(a, b string) int {
	var x, y, n, m uint64
	fmt.Sscanf(a, "%d-%d", &x, &n)
	fmt.Sscanf(b, "%d-%d", &y, &m)
	return int(n) - int(m)
}

// TestClientRenewsItsToken: a token that expires is replaced in good time, on
// every rung, and nothing is missed.
func TestClientRenewsItsToken(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, "--api-key", apiKey, "--jwt-secret", secret, "--origin", cast(t).site())
	for _, rung := range rungs {
		t.Run(rung, func(t *testing.T) {
			t.Parallel()
			p := &publisher{t: t, url: hub.URL, key: apiKey, channel: "team:" + rung}
			tokens := []string{"nonsense", token(t, "team:*", "--ttl", "3s"), token(t, "team:*", "--ttl", "6s"), token(t, "team:*")}
			pages := clients(t, options(rung, map[string]any{"tokens": tokens}), view{hub: hub.URL, channels: []string{p.channel}})
			for range 20 {
				p.publish(1)
				awaitAll(pages, p)
			}
			for _, page := range pages {
				page.await("token", 3)
			}
			p.publish(5)
			awaitAll(pages, p)
			settled(pages)
			for _, page := range pages {
				if asked := len(page.saw("token")); asked > 8 {
					t.Errorf("%s asked for %d tokens", page.label, asked)
				}
			}
		})
	}
}

// TestClientOnTwoNodes: every request reaches the other node, one of them dies,
// and both are restarted one after the other; nothing is lost or doubled.
func TestClientOnTwoNodes(t *testing.T) {
	t.Parallel()
	redis := streamstest.StartRedis(t)
	nodes := []*hubtest.Node{hubtest.Start(t, "--store", redis.URL()), hubtest.Start(t, "--store", redis.URL())}
	proxy, err := faultproxy.ListenHTTP(nodes[0].Addr, nodes[1].Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxy.Close() })
	p := &publisher{t: t, url: nodes[0].URL, channel: "both"}
	v := view{hub: "http://" + proxy.Addr(), channels: []string{p.channel}}
	var pages []*page
	for _, rung := range rungs {
		pages = append(pages, clients(t, options(rung, map[string]any{"module": nodes[0].URL}), v)...)
	}
	for range 4 {
		proxy.Reset()
		p.publish(10)
		awaitAll(pages, p)
	}
	nodes[1].Kill()
	p.publish(10)
	awaitAll(pages, p)
	nodes[1].Restart()
	p.url = nodes[1].URL
	nodes[0].Stop()
	p.publish(10)
	awaitAll(pages, p)
	nodes[0].Restart()
	nodes[1].Stop()
	p.url = nodes[0].URL
	p.publish(10)
	awaitAll(pages, p)
	nodes[1].Restart()
	settled(pages)
}

// TestClientHalfOpen: a connection that died without a word is noticed by its
// silence.
func TestClientHalfOpen(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, "--heartbeat", "1s")
	proxy := proxied(t, hub)
	p := &publisher{t: t, url: hub.URL, channel: "half"}
	var pages []*page
	for _, rung := range rungs {
		pages = append(pages, clients(t, options(rung, nil), view{hub: "http://" + proxy.Addr(), channels: []string{p.channel}})...)
	}
	p.publish(5)
	awaitAll(pages, p)
	proxy.Set(faultproxy.Faults{Up: faultproxy.Lane{Swallow: true}, Down: faultproxy.Lane{Swallow: true}})
	p.publish(5)
	within(t, "bytes to be lost on every connection", func() bool { return proxy.Stats().Swallowed > 1000 })
	proxy.Set(faultproxy.Faults{})
	p.publish(5)
	awaitAll(pages, p)
	settled(pages)
}

// TestClientSharesOneConnection: the tabs of a user have one connection; when
// the one that leads goes, another takes over where it was. Those of another
// user have theirs.
func TestClientSharesOneConnection(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	p := &publisher{t: t, url: hub.URL, channel: "tabs"}
	v := view{hub: hub.URL, channels: []string{p.channel}}
	c := cast(t)
	for _, b := range c.browsers {
		p.published = nil
		p.channel = "tabs-" + b.name
		v.channels = []string{p.channel}
		var pages []*page
		for range 20 {
			pages = append(pages, c.open(t, b, options("", map[string]any{"user": "ann"}), v))
		}
		other := c.open(t, b, options("", map[string]any{"user": "bob"}), v)
		for _, page := range append(pages, other) {
			page.awaitLive()
		}
		p.publish(5)
		awaitAll(append(pages, other), p)
		if n := connections(t, hub); n != 2 {
			t.Errorf("%s: %d connections for two users", b.name, n)
		}
		for len(pages) > 3 { // whichever leads goes at some time
			for _, page := range pages[:3] {
				c.closePage(b, page)
			}
			pages = pages[3:]
			p.publish(5)
			awaitAll(pages, p)
		}
		settled(append(pages, other))
		for _, page := range append(pages, other) {
			c.closePage(b, page)
		}
		within(t, "nobody is connected", func() bool { return connections(t, hub) == 0 })
	}
}

func connections(t testing.TB, hub *hubtest.Node) (n int) {
	t.Helper()
	resp, err := http.Get(hub.URL + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var health struct{ Connections int }
	if err := json.NewDecoder(resp.Body).Decode(&health); err != nil {
		t.Fatal(err)
	}
	return health.Connections
}

// closePage closes a page before the test ends.
func (c *troupe) closePage(b *browser, p *page) { c.give(b.name, order{Page: p.number}) }

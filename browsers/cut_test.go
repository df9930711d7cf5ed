package browsers

import (
	"testing"

	"runnel/faultproxy"
	"runnel/hubtest"
)

func TestLiveAndCut(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	for name, cut := range map[string]func(*faultproxy.Proxy) int{
		"fin": (*faultproxy.Proxy).Cut,
		"rst": (*faultproxy.Proxy).Reset,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := proxied(t, hub)
			p := &publisher{t: t, url: hub.URL, channel: "cut-" + name}
			pages := everywhere(t, view{hub: "http://" + proxy.Addr(), channels: []string{p.channel}})
			p.publish(5)
			awaitAll(pages, p)
			for range 2 {
				if ended := cut(proxy); ended < len(pages) {
					t.Errorf("the cut ended %d connections of %d", ended, len(pages))
				}
				p.publish(5)
				awaitAll(pages, p)
			}
			settled(pages)
		})
	}
}

// A connection that dies somewhere within a block or a frame: every one of
// these ends after so many bytes, wherever that is.
func TestCutWithinABlock(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	for _, withReset := range []bool{false, true} {
		t.Run(map[bool]string{false: "fin", true: "rst"}[withReset], func(t *testing.T) {
			t.Parallel()
			proxy := proxied(t, hub)
			p := &publisher{t: t, url: hub.URL, channel: "block"}
			if withReset {
				p.channel += "-rst"
			}
			pages := everywhere(t, view{hub: "http://" + proxy.Addr(), channels: []string{p.channel}})
			for i, bytes := range []int64{831, 877, 923} {
				proxy.Set(faultproxy.Faults{Reset: withReset, Down: faultproxy.Lane{CutAfter: bytes}})
				p.publish(12)
				for _, page := range pages {
					page.awaitLost(i + 1)
				}
			}
			proxy.Set(faultproxy.Faults{})
			p.publish(1)
			awaitAll(pages, p)
			settled(pages)
		})
	}
}

// awaitAll waits until every page saw all that was published, and nothing else.
func awaitAll(pages []*page, p *publisher) {
	p.t.Helper()
	for _, page := range pages {
		page.awaitAll(p.published)
	}
}

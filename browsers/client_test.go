package browsers

import (
	"testing"
)

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
	hub := startNode(t)
	for name, options := range map[string]string{
		"ws": `{"transports":["ws"]}`, "sse": `{"transports":["sse"]}`, "poll": `{"transports":["poll"]}`, "all": `{}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := proxied(t, hub)
			p := &publisher{t: t, url: hub.url, channel: "rung-" + name}
			pages := clients(t, options, view{hub: "http://" + proxy.Addr(), channels: []string{p.channel}})
			p.publish(5)
			awaitAll(pages, p)
			for range 3 {
				proxy.Reset()
				p.publish(5)
				awaitAll(pages, p)
			}
			for _, page := range pages {
				page.await("thrown", len(p.published))
				if want := map[string]string{"all": "ws"}[name]; want != "" && page.saw("connected")[0].Data != want {
					t.Errorf("%s begins on %s", page.label, page.saw("connected")[0].Data)
				}
			}
			settled(pages)
		})
	}
}

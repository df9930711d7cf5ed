package browsers

import (
	"strings"
	"testing"

	"runnel/hubtest"
)

// Keys of the hubs that are not in demo mode.
const (
	apiKey = "an-api-key-of-the-tests"
	secret = "a secret of the tests, long enough for HS256"
)

// A page of another origin of the same site connects with the site's cookie,
// and again after a cut.
func TestOtherOriginWithCookie(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, "--api-key", apiKey, "--jwt-secret", secret, "--origin", cast(t).site())
	proxy := proxied(t, hub)
	p := &publisher{t: t, url: hub.URL, key: apiKey, channel: "team:7"}
	pages := everywhere(t, view{hub: besidePages(proxy.Addr()), channels: []string{p.channel}, cookie: token(t, "team:*")})
	p.publish(5)
	awaitAll(pages, p)
	for _, page := range pages {
		welcome := page.saw(map[bool]string{true: "welcome", false: "runnel.welcome"}[page.socket])
		if !strings.Contains(welcome[0].Data, `"user":"ann"`) {
			t.Errorf("%s is welcomed with %s", page.label, welcome[0].Data)
		}
	}
	proxy.Cut()
	p.publish(5)
	awaitAll(pages, p)
	settled(pages)
}

// A page of an origin that is not allowed gets nothing, cookie or not.
func TestStrangeOrigin(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, "--api-key", apiKey, "--jwt-secret", secret, "--origin", "http://other.runnel.localhost")
	c := cast(t)
	for _, b := range c.browsers {
		v := view{hub: besidePages(hub.Addr), channels: []string{"team:7"}, cookie: token(t, "team:*")}
		source, socket := c.open(t, b, "eventsource", v), c.open(t, b, "websocket", v)
		within(t, source.label+" gives up", func() bool { return len(source.saw("dead")) == 1 })
		socket.await("close", 2)
		for _, page := range []*page{source, socket} {
			if len(page.saw("open")) > 0 {
				t.Errorf("%s is let in\n%s", page.label, page.story())
			}
		}
	}
}

// besidePages is the address under a name of the pages' site.
func besidePages(addr string) string {
	_, port, _ := strings.Cut(addr, ":")
	return "http://hub.runnel.localhost:" + port
}

// token makes a JWT for Ann, who may read what subscribe says.
func token(t testing.TB, subscribe string, flags ...string) string {
	t.Helper()
	return hubtest.Token(t, secret, append([]string{"--sub", "ann", "--subscribe", subscribe}, flags...)...)
}

package browsers

import (
	"path/filepath"
	"testing"

	"runnel/hubtest"
)

// Over HTTP/2 a page may have more feeds than the six connections that
// browsers allow per host: they share one.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	cert, key := hubtest.Certificate(t, t.TempDir(), "a hub for browsers")
	hub := hubtest.Start(t, "--tls-cert", cert, "--tls-key", key)
	proxy := proxied(t, hub)
	p := &publisher{t: t, url: hub.URL, channel: "shared"}
	c := cast(t)
	var pages []*page
	for i := range 20 {
		page := c.open(t, c.browsers[0], "eventsource", view{hub: "https://" + proxy.Addr(), channels: []string{p.channel}})
		if i == 0 {
			page.awaitLive() // from then on Chromium knows that the hub speaks HTTP/2
		}
		pages = append(pages, page)
	}
	for _, page := range pages {
		page.awaitLive()
	}
	// Chromium opens a second one where the first handshake takes its time.
	if open := proxy.Stats().Open; open > 2 {
		t.Errorf("20 feeds have %d connections", open)
	}
	p.publish(50)
	awaitAll(pages, p)
	proxy.Cut()
	p.publish(50)
	awaitAll(pages, p)
	settled(pages)
}

// Over HTTP/2 a feed that is cut is a stream that is reset: a page comes again
// after a drain and after a refusal for now, as everywhere.
func TestHTTP2Reset(t *testing.T) {
	t.Parallel()
	cert, key := hubtest.Certificate(t, t.TempDir(), "a hub for browsers")
	hub := hubtest.Start(t, "--tls-cert", cert, "--tls-key", key, "--max-connections", "2",
		"--store", "bolt:"+filepath.Join(t.TempDir(), "runnel.db"))
	p := &publisher{t: t, url: hub.URL, channel: "reset"}
	release := holdFeeds(t, hub.URL, 2)
	c := cast(t)
	pages := []*page{c.open(t, c.browsers[0], "eventsource", view{hub: hub.URL, channels: []string{p.channel}})}
	pages[0].awaitRefused()
	release()
	pages[0].awaitLive()
	p.publish(5)
	awaitAll(pages, p)
	hub.Stop()
	hub.Restart()
	p.publish(5)
	awaitAll(pages, p)
	settled(pages)
}

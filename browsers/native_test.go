package browsers

import (
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"runnel/hubtest"
	"runnel/streams/streamstest"
)

// TestNativeIsNeverLeftDead: an EventSource that a page opened once outlives all
// that an operator may do, one after the other: a hub that is gone for a while, a
// Redis that is, a drain and the restart after it. Pages of the hub's own origin
// need no help; those of another one get it as protocol.md says.
func TestNativeIsNeverLeftDead(t *testing.T) {
	t.Parallel()
	redis := streamstest.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	own, address := loaded(t, "native")
	hub := hubtest.Start(t, "--listen", address, "--store", redis.URL(), "--drain", absence(2*time.Second, 10*time.Second).String())
	beside := hubtest.Start(t, "--store", redis.URL()) // is told what the other misses
	proxy := proxied(t, hub)
	p := &publisher{t: t, url: beside.URL, channel: "native"}
	pages := append(own, sources(t, view{hub: "http://" + proxy.Addr(), channels: []string{p.channel}})...)
	for _, page := range pages {
		page.awaitLive()
	}
	p.publish(5)
	awaitAll(pages, p)

	hub.Kill()
	p.publish(5)
	wait()
	hub.Restart()
	p.publish(5)
	returned(pages, p, "a killed hub")

	redis.Stop()
	proxy.Cut()
	wait()
	if status, body := p.try(); status != http.StatusServiceUnavailable {
		t.Errorf("without Redis a publish gets %d %s", status, body)
	}
	redis.Restart()
	within(t, "publishing works again", func() bool {
		status, _ := p.try()
		return status == http.StatusCreated
	})
	p.publish(5)
	returned(pages, p, "Redis away")

	hub.Signal(syscall.SIGTERM)
	p.publish(5)
	hub.AwaitExit()
	wait()
	hub.Restart()
	p.publish(5)
	returned(pages, p, "a drain")
	settled(pages)
}

// loaded opens pages that come from where a hub is yet to start, with an
// EventSource there, and returns when they have tried it.
func loaded(t testing.TB, channel string) (pages []*page, address string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("GET /", scenery())
	mux.HandleFunc("GET /channels/", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	server := httptest.NewServer(mux)
	pages = sources(t, view{hub: server.URL, channels: []string{channel}, site: server.URL})
	for _, p := range pages {
		p.label += " of the hub's origin"
		p.await("error", 1)
	}
	server.Close()
	return pages, server.Listener.Addr().String()
}

// sources opens an EventSource in each browser.
func sources(t testing.TB, v view) (pages []*page) {
	t.Helper()
	c := cast(t)
	for _, b := range c.browsers {
		pages = append(pages, c.open(t, b, "eventsource", v))
	}
	return pages
}

// returned waits until all have all that was published, and prints in a run with
// real intervals how long that takes from now, when what was away is back.
func returned(pages []*page, p *publisher, after string) {
	p.t.Helper()
	began := time.Now()
	for _, page := range pages {
		page.awaitAll(p.published)
		if *realIntervals {
			p.t.Logf("| %s | %s | %.1f s | new ones: %d |", after, page.label, time.Since(began).Seconds(), len(page.saw("anew")))
		}
	}
}

// absence is a time that something is away: a short one unless the intervals
// are real.
func absence(short, long time.Duration) time.Duration {
	if *realIntervals {
		return long
	}
	return short
}

// wait lets an absence last, so long that browsers try in vain, and more than once.
func wait() { <-time.After(absence(5*time.Second, time.Minute)) }

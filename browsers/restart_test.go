package browsers

import (
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"runnel/hubtest"
	"runnel/streams/streamstest"
)

// A hub that is killed and comes back has its history, where it was kept.
func TestRestart(t *testing.T) {
	t.Parallel()
	stores := map[string]func(*testing.T) string{
		"bolt":  func(t *testing.T) string { return "bolt:" + filepath.Join(t.TempDir(), "runnel.db") },
		"redis": func(t *testing.T) string { return streamstest.StartRedis(t).URL() },
	}
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub := hubtest.Start(t, "--store", store(t))
			p := &publisher{t: t, url: hub.URL, channel: "restarted"}
			pages := everywhere(t, view{hub: hub.URL, channels: []string{p.channel}})
			p.publish(5)
			awaitAll(pages, p)
			for i, end := range []func(){hub.Kill, hub.Stop} {
				p.publish(5)
				end()
				for _, page := range pages {
					page.awaitLost(i + 1)
				}
				hub.Restart()
				p.publish(5)
				awaitAll(pages, p)
			}
			settled(pages)
		})
	}
}

// A hub in memory forgets, and says so once.
func TestRestartOnMemory(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	p := &publisher{t: t, url: hub.URL, channel: "forgotten"}
	pages := everywhere(t, view{hub: hub.URL, channels: []string{p.channel}})
	p.publish(5)
	awaitAll(pages, p)
	last := p.published[4].id
	hub.Kill()
	hub.Restart()
	p.publish(5)
	awaitAll(pages, p)
	for _, page := range pages {
		g := page.onlyGap()
		if g.Reason != "unknown" || g.Missed != nil || g.After == nil || *g.After != last || g.Channel != p.channel {
			t.Errorf("%s: the gap is %+v\n%s", page.label, g, page.story())
		}
	}
}

// Redis is away for ten seconds. What kept its feed, what comes again meanwhile
// and what comes for the first time go on when it is back.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	redis := streamstest.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	hub := hubtest.Start(t, "--store", redis.URL())
	proxy := proxied(t, hub)
	p := &publisher{t: t, url: hub.URL, channel: "away"}
	late := &publisher{t: t, url: hub.URL, channel: "unknown-so-far"}
	stayed := everywhere(t, view{hub: hub.URL, channels: []string{p.channel}})
	cut := everywhere(t, view{hub: "http://" + proxy.Addr(), channels: []string{p.channel}})
	p.publish(5)
	awaitAll(append(stayed, cut...), p)
	redis.Stop()
	proxy.Cut()
	fresh := openEverywhere(t, view{hub: "http://" + proxy.Addr(), channels: []string{late.channel}})
	for back := time.Now().Add(10 * time.Second); time.Now().Before(back); <-time.After(time.Second) {
		if status, body := p.try(); status != http.StatusServiceUnavailable {
			t.Errorf("without Redis a publish gets %d %s", status, body)
		}
	}
	for _, page := range fresh {
		page.awaitRefused()
	}
	redis.Restart()
	within(t, "publishing works again", func() bool {
		status, _ := p.try()
		return status == http.StatusCreated
	})
	p.publish(5)
	awaitAll(append(stayed, cut...), p)
	for _, page := range fresh {
		page.awaitLive()
	}
	late.publish(5)
	awaitAll(fresh, late)
	settled(slices.Concat(stayed, cut, fresh))
}

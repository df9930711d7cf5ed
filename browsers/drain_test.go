package browsers

import (
	"bufio"
	"context"
	"crypto/tls"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"runnel/faultproxy"
	"runnel/hubtest"
	"runnel/streams/streamstest"
)

// A node is replaced by another one behind the same address.
func TestDrain(t *testing.T) {
	t.Parallel()
	store := streamstest.StartRedis(t).URL()
	old := hubtest.Start(t, "--store", store, "--drain", "2s")
	fresh := hubtest.Start(t, "--store", store)
	proxy := proxied(t, old)
	p := &publisher{t: t, url: fresh.URL, channel: "drained"}
	pages := everywhere(t, view{hub: "http://" + proxy.Addr(), channels: []string{p.channel}})
	p.publish(5)
	awaitAll(pages, p)
	old.Signal(syscall.SIGTERM)
	proxy.SetTarget(fresh.Addr)
	for draining := true; draining; {
		p.publish(1)
		select {
		case <-old.Ended():
			draining = false
		case <-time.After(50 * time.Millisecond):
		}
	}
	old.AwaitExit()
	p.publish(5)
	awaitAll(pages, p)
	settled(pages)
	for _, page := range pages {
		if closes := page.saw("close"); page.socket && (len(closes) == 0 || closes[0].Code != 1001) {
			t.Errorf("%s was told to move by %+v", page.label, closes)
		}
	}
}

// A page that comes to a draining node is sent on, and comes again.
func TestComeWhileDraining(t *testing.T) {
	t.Parallel()
	store := streamstest.StartRedis(t).URL()
	old := hubtest.Start(t, "--store", store, "--drain", "1m")
	fresh := hubtest.Start(t, "--store", store)
	proxy := proxied(t, fresh)
	p := &publisher{t: t, url: fresh.URL, channel: "drained"}
	pages := everywhere(t, view{hub: "http://" + proxy.Addr(), channels: []string{p.channel}})
	release := holdFeeds(t, old.URL, 2) // so that the drain takes its time
	p.publish(5)
	awaitAll(pages, p)
	proxy.SetTarget(old.Addr)
	old.Signal(syscall.SIGTERM)
	proxy.Cut()
	for _, page := range pages {
		page.awaitRefused()
	}
	release()
	p.publish(5)
	proxy.SetTarget(fresh.Addr)
	awaitAll(pages, p)
	settled(pages)
	old.AwaitExit()
}

// A page over a limit comes again, and goes on where it was.
func TestRefusedForNow(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, "--max-connections-per-ip", "4")
	proxy := proxied(t, hub)
	p := &publisher{t: t, url: hub.URL, channel: "refused"}
	pages := everywhere(t, view{hub: "http://" + proxy.Addr(), channels: []string{p.channel}})
	p.publish(5)
	awaitAll(pages, p)
	proxy.Set(faultproxy.Faults{Refuse: true})
	proxy.Cut()
	release := holdFeeds(t, hub.URL, 4)
	p.publish(5)
	proxy.Set(faultproxy.Faults{})
	for _, page := range pages {
		page.awaitRefused()
	}
	release()
	p.publish(5)
	awaitAll(pages, p)
	settled(pages)
}

// awaitRefused waits until the hub has told the page to come again later.
func (p *page) awaitRefused() {
	p.t.Helper()
	p.within("a refusal", func() bool {
		return slices.ContainsFunc(p.saw(""), func(s sight) bool {
			switch s.Type {
			case "close":
				return s.Code == 1001 || s.Code == 1013 || s.Code == 4009
			case "runnel.error", "error":
				return s.hasCode("connection_limit", "unavailable")
			}
			return false
		})
	})
}

// holdFeeds opens feeds that stay, until release or the end of the test.
func holdFeeds(t testing.TB, hub string, count int) (release func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	for range count {
		// Those that the proxy cut count until the hub has noticed.
		within(t, "a feed is let in", func() bool { return openFeed(ctx, t, hub+"/channels/held/events") })
	}
	return cancel
}

// openFeed opens a feed that ends with ctx, and reports whether it was let in.
func openFeed(ctx context.Context, t testing.TB, url string) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := streaming.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return welcomed(t, resp)
}

// streaming is a client for bodies without end. It believes certificates that
// tests made.
var streaming = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

// welcomed reads a feed's beginning.
func welcomed(t testing.TB, resp *http.Response) bool {
	t.Helper()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		switch lines.Text() {
		case "event: runnel.welcome":
			return true
		case "event: runnel.error":
			return false
		}
	}
	t.Fatal("a feed ends before it began")
	return false
}

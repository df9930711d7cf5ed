package browsers

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"runnel/hubtest"
)

// Several channels share a connection, and each goes on exactly.
func TestSeveralChannels(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	proxy := proxied(t, hub)
	channels := []string{"several:a", "several:b", "several:c"}
	var publishers []*publisher
	for _, channel := range channels {
		publishers = append(publishers, &publisher{t: t, url: hub.URL, channel: channel})
	}
	pages := everywhere(t, view{hub: "http://" + proxy.Addr(), channels: channels})
	for round := range 4 {
		for range 5 {
			for i, p := range publishers[:3-round%2] { // one stays silent now and then
				p.publish(1 + i)
			}
		}
		for _, p := range publishers {
			awaitAll(pages, p)
		}
		proxy.Cut()
	}
	settled(pages)
}

// An ephemeral event comes live, and moves no position.
func TestEphemeral(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	proxy := proxied(t, hub)
	p := &publisher{t: t, url: hub.URL, channel: "ephemeral"}
	pages := everywhere(t, view{hub: "http://" + proxy.Addr(), channels: []string{p.channel}})
	p.publish(1)
	awaitAll(pages, p)
	p.whisper(`{"typing":"ann"}`)
	for _, page := range pages {
		page.within("an ephemeral event", func() bool { return page.heard(`{"typing":"ann"}`) == 1 })
		all := page.saw(page.eventType())
		if id, last := all[len(all)-1].ID, p.published[0].id; page.socket && id != "" || !page.socket && id != last {
			t.Errorf("%s: the ephemeral event came with %q after %s", page.label, id, last)
		}
	}
	proxy.Cut()
	p.publish(1)
	for _, page := range pages {
		page.within("the next event", func() bool { return strings.Contains(page.story(), p.published[1].id) })
		if got := page.heard(`{"typing":"ann"}`); got != 1 {
			t.Errorf("%s heard the ephemeral event %d times\n%s", page.label, got, page.story())
		}
	}
	settled(pages)
}

// heard counts the events with that data.
func (p *page) heard(data string) (count int) {
	for _, s := range p.saw(p.eventType()) {
		if strings.Contains(s.Data, data) {
			count++
		}
	}
	return count
}

// A script hears that a silent feed is alive.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, "--heartbeat", "1s")
	p := &publisher{t: t, url: hub.URL, channel: "silent"}
	pages := everywhere(t, view{hub: hub.URL, channels: []string{p.channel}})
	for _, page := range pages {
		if page.socket {
			page.await("heartbeat", 3)
			continue
		}
		for _, s := range page.await("runnel.heartbeat", 3) {
			var beat struct{ Time time.Time }
			if err := json.Unmarshal([]byte(s.Data), &beat); err != nil || time.Since(beat.Time).Abs() > time.Minute {
				t.Errorf("%s: the heartbeat is %q (%v)", page.label, s.Data, err)
			}
		}
	}
	p.publish(3)
	awaitAll(pages, p)
	settled(pages)
}

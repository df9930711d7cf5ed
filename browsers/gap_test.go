package browsers

import (
	"path/filepath"
	"testing"

	"runnel/faultproxy"
	"runnel/hubtest"
)

// What was trimmed while a page was away is counted exactly. The hub is
// restarted meanwhile: it would serve the page from its memory for a while
// what the log has dropped.
func TestTrimmed(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, "--history", "10", "--store", "bolt:"+filepath.Join(t.TempDir(), "runnel.db"))
	proxy := proxied(t, hub)
	p := &publisher{t: t, url: hub.URL, channel: "trimmed"}
	pages := everywhere(t, view{hub: "http://" + proxy.Addr(), channels: []string{p.channel}})
	p.publish(5)
	awaitAll(pages, p)
	proxy.Set(faultproxy.Faults{Refuse: true})
	proxy.Cut()
	hub.Stop()
	hub.Restart()
	p.publish(50)
	proxy.Set(faultproxy.Faults{})
	for _, page := range pages {
		page.within("a gap and the last event", func() bool {
			all := page.events(p.channel)
			return len(page.gaps()) > 0 && all[len(all)-1] == p.published[54]
		})
		page.checkTrimmed(p.published, 5)
	}
}

// checkTrimmed compares the page's gap with what is missing after the event of
// that number.
func (p *page) checkTrimmed(published []event, before int) {
	p.t.Helper()
	g, got := p.onlyGap(), p.events(published[0].channel)
	next := got[before]
	missed := next.n - before - 1
	switch {
	case g.Reason != "trimmed", g.Missed == nil, missed < 1, *g.Missed != missed,
		g.After == nil || *g.After != published[before-1].id, g.Resumed == nil || *g.Resumed != next.id,
		g.Last != published[next.n-2].id:
		p.t.Errorf("%s: %d are missing, and the gap is %+v\n%s", p.label, missed, g, p.story())
	}
	kept := append(append([]event{}, published[:before]...), published[next.n-1:]...)
	if d := difference(kept, got); len(got) != len(kept) {
		p.t.Errorf("%s saw %s\n%s", p.label, d, p.story())
	}
}

// onlyGap is the gap that the page was told of, once.
func (p *page) onlyGap() gap {
	p.t.Helper()
	gaps := p.gaps()
	if len(gaps) != 1 {
		p.t.Fatalf("%s was told of %d gaps\n%s", p.label, len(gaps), p.story())
	}
	return gaps[0]
}

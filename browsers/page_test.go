package browsers

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// sight is one thing that a page saw. From an EventSource: the type of an
// event, "open", "error" or, where it gave up, "dead". From a WebSocket: the
// type of a message, "open", "close" or "dead".
type sight struct {
	Type string `json:"type"`
	ID   string `json:"id"`   // lastEventId; the message's id or position
	Data string `json:"data"` // the event's data; the whole message
	Code int    `json:"code"` // of a close
}

// hasCode reports whether an error that the hub sent has one of these codes.
func (s sight) hasCode(codes ...string) bool {
	for _, code := range codes {
		if strings.Contains(s.Data, `"code":"`+code+`"`) {
			return true
		}
	}
	return false
}

// event is a published or delivered event.
type event struct {
	channel, id string
	n           int
}

// page is an open page of one browser with one feed.
type page struct {
	t        testing.TB
	number   int
	label    string
	socket   bool
	channels []string

	mu     sync.Mutex
	sights []sight
}

// view says what a page opens.
type view struct {
	hub      string // its URL; the query goes along
	channels []string
	cookie   string // a token that the pages' site gets as a cookie first
	site     string // where the page comes from, "" for the stage
}

var lastPage atomic.Int64

// everywhere opens four pages: an EventSource and a WebSocket, in Chromium and
// in Firefox. It returns when all are live.
func everywhere(t testing.TB, v view) []*page {
	t.Helper()
	pages := openEverywhere(t, v)
	for _, p := range pages {
		p.awaitLive()
	}
	return pages
}

// openEverywhere is everywhere for pages that need not get live.
func openEverywhere(t testing.TB, v view) (pages []*page) {
	t.Helper()
	c := cast(t)
	for _, b := range c.browsers {
		pages = append(pages, c.open(t, b, "eventsource", v), c.open(t, b, "websocket", v))
	}
	return pages
}

// open opens a page, which the test closes.
func (c *troupe) open(t testing.TB, b *browser, kind string, v view) *page {
	number := int(lastPage.Add(1))
	p := &page{t: t, number: number, label: b.name + " " + kind, socket: kind != "eventsource", channels: v.channels}
	c.mu.Lock()
	c.pages[number] = p
	c.mu.Unlock()
	query := url.Values{"page": {fmt.Sprint(number)}, "kind": {kind}, "hub": {v.hub}, "channel": v.channels}
	at := c.site() + "/page.html?" + query.Encode()
	if v.cookie != "" {
		query.Set("credentials", "")
		at = c.site() + "/cookie?" + url.Values{"token": {v.cookie}, "then": {query.Encode()}}.Encode()
	}
	if v.site != "" {
		query.Set("stage", c.site())
		at = v.site + "/page.html?" + query.Encode()
	}
	c.give(b.name, order{Page: number, URL: at})
	t.Cleanup(func() { c.give(b.name, order{Page: number}) })
	return p
}

func (p *page) add(sights []sight) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sights = append(p.sights, sights...)
}

// saw returns the sights of a type, all of them for "".
func (p *page) saw(kind string) []sight {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []sight
	for _, s := range p.sights {
		if kind == "" || s.Type == kind {
			found = append(found, s)
		}
	}
	return found
}

// await waits until the page saw that many of a type, and returns them.
func (p *page) await(kind string, count int) []sight {
	p.t.Helper()
	p.within(fmt.Sprintf("%d %s", count, kind), func() bool { return len(p.saw(kind)) >= count })
	return p.saw(kind)
}

// within polls until the condition holds. A page that gave up waits no longer.
func (p *page) within(what string, holds func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(absence(patience, 4*time.Minute)); !holds(); time.Sleep(20 * time.Millisecond) {
		if dead := len(p.saw("dead")) > 0; dead || time.Now().After(deadline) {
			p.t.Fatalf("%s (gave up: %v) waits in vain for: %s\n%s", p.label, dead, what, p.story())
		}
	}
}

// story is what the page saw, for the reader of a failed test.
func (p *page) story() string {
	text := ""
	for _, s := range p.saw("") {
		text += fmt.Sprintf("  %s id=%s code=%d %.160s\n", s.Type, s.ID, s.Code, s.Data)
	}
	return text
}

// awaitLive waits until all subscriptions have begun.
func (p *page) awaitLive() {
	p.t.Helper()
	if p.socket {
		p.await("subscribed", len(p.channels))
	} else {
		p.await("runnel.welcome", 1)
	}
}

// awaitLost waits until the page has lost that many connections.
func (p *page) awaitLost(count int) {
	p.t.Helper()
	if p.socket {
		p.await("close", count)
	} else {
		p.await("error", count)
	}
}

// awaitAll waits for the last of the published events and fails unless the
// page saw exactly them since it was opened, once each and in order, but for
// those that one of its gaps names.
func (p *page) awaitAll(published []event) {
	p.t.Helper()
	last := published[len(published)-1]
	p.within(fmt.Sprintf("event %+v", last), func() bool { return slices.Contains(p.events(last.channel), last) })
	if got := p.events(last.channel); !slices.Equal(got, published) {
		p.t.Errorf("%s saw %s\n%s", p.label, difference(published, got), p.story())
	}
}

// difference names what is lost, doubled or out of order.
func difference(want, got []event) string {
	var lost, strange []event
	for _, e := range want {
		if !slices.Contains(got, e) {
			lost = append(lost, e)
		}
	}
	seen := map[event]int{}
	for _, e := range got {
		if seen[e]++; seen[e] > 1 || !slices.Contains(want, e) {
			strange = append(strange, e)
		}
	}
	return fmt.Sprintf("%d events instead of %d; lost %v; doubled or never published %v; else out of order",
		len(got), len(want), lost, strange)
}

// events are the stored events of a channel that the page saw, in its order.
func (p *page) events(channel string) []event {
	var all []event
	for _, s := range p.saw(p.eventType()) {
		if e, stored := p.event(s); stored && e.channel == channel {
			all = append(all, e)
		}
	}
	return all
}

func (p *page) eventType() string {
	if p.socket {
		return "event"
	}
	return "message"
}

// event reads what an event's sight says. An EventSource of one channel sees
// the data as published, all others an envelope.
func (p *page) event(s sight) (e event, stored bool) {
	var m struct {
		N       int
		Channel string
		ID      *string
		Data    struct{ N int }
	}
	if err := json.Unmarshal([]byte(s.Data), &m); err != nil {
		p.t.Errorf("%s: %v: %q", p.label, err, s.Data)
		return e, false
	}
	if !p.socket && len(p.channels) == 1 {
		return event{p.channels[0], s.ID, m.N}, m.N > 0
	}
	if m.ID == nil {
		return event{channel: m.Channel, n: m.Data.N}, false
	}
	return event{m.Channel, *m.ID, m.Data.N}, true
}

// gap is what the hub says of events that are gone.
type gap struct {
	Channel string
	After   *string
	Last    string  `json:"last_event_id"`
	Resumed *string `json:"resumed_at"`
	Missed  *int
	Reason  string
}

// gaps are all the page was told of.
func (p *page) gaps() []gap {
	kind := "runnel.gap"
	if p.socket {
		kind = "gap"
	}
	var all []gap
	for _, s := range p.saw(kind) {
		var g gap
		if err := json.Unmarshal([]byte(s.Data), &g); err != nil {
			p.t.Errorf("%s: %v: %q", p.label, err, s.Data)
		}
		all = append(all, g)
	}
	return all
}

// settled fails if the page ever gave up, was told of a gap, or had an error
// in its script.
func settled(pages []*page) {
	for _, p := range pages {
		p.t.Helper()
		for _, bad := range []string{"dead", "gap", "runnel.gap", "script"} {
			if s := p.saw(bad); len(s) > 0 {
				p.t.Errorf("%s saw %+v\n%s", p.label, s, p.story())
			}
		}
	}
}

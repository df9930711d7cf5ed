package browsers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"runnel/hubtest"
)

// window opens a page with runnel.js in a window of Chromium of its own, which
// can be frozen and crashed.
func (c *troupe) window(t testing.TB, options string, v view) (*page, context.Context) {
	t.Helper()
	b := c.browsers[0]
	tab, end := chromedp.NewContext(b.tab)
	t.Cleanup(end)
	number := int(lastPage.Add(1))
	p := &page{t: t, number: number, label: b.name + " window", socket: true, channels: v.channels}
	c.mu.Lock()
	c.pages[number] = p
	c.mu.Unlock()
	query := url.Values{"page": {fmt.Sprint(number)}, "kind": {options}, "hub": {v.hub}, "channel": v.channels}
	ctx, cancel := context.WithTimeout(tab, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(c.site()+"/page.html?"+query.Encode())); err != nil {
		t.Fatal(err)
	}
	p.awaitLive()
	return p, tab
}

// TestClientAsleep: a tab that leads and is frozen, as on a laptop whose lid
// is closed, is relieved by another one; thawed, it has everything once.
func TestClientAsleep(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, "--heartbeat", "1s")
	for _, alone := range []bool{true, false} {
		t.Run(fmt.Sprint("alone ", alone), func(t *testing.T) {
			p := &publisher{t: t, url: hub.URL, channel: fmt.Sprint("asleep-", alone)}
			v := view{hub: hub.URL, channels: []string{p.channel}}
			shared := options("", map[string]any{"user": "ann"})
			sleeper, tab := cast(t).window(t, shared, v)
			pages := []*page{sleeper}
			if !alone {
				other, _ := cast(t).window(t, shared, v)
				pages = append(pages, other)
			}
			p.publish(5)
			awaitAll(pages, p)
			lifecycle(t, tab, cdpage.SetWebLifecycleStateStateFrozen)
			p.publish(5)
			awaitAll(pages[1:], p)
			if n := len(sleeper.events(p.channel)); n != 5 {
				t.Errorf("the frozen page saw %d events", n)
			}
			lifecycle(t, tab, cdpage.SetWebLifecycleStateStateActive)
			p.publish(5)
			awaitAll(pages, p)
			settled(pages)
		})
	}
}

// TestClientCrashes: when the tab that leads crashes another takes over.
func TestClientCrashes(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	p := &publisher{t: t, url: hub.URL, channel: "crashed"}
	v := view{hub: hub.URL, channels: []string{p.channel}}
	shared := options("", map[string]any{"user": "ann"})
	_, tab := cast(t).window(t, shared, v)
	heir, _ := cast(t).window(t, shared, v)
	p.publish(5)
	heir.awaitAll(p.published)
	go chromedp.Call(tab, cdpage.Crash, cdp.Empty{}) // it has no answer
	p.publish(5)
	heir.awaitAll(p.published)
	settled([]*page{heir})
}

// lifecycle freezes a page or thaws it. A page that freezes may not answer.
func lifecycle(t testing.TB, tab context.Context, state cdpage.SetWebLifecycleStateState) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, 2*time.Second)
	defer cancel()
	_, err := chromedp.Call(ctx, cdpage.SetWebLifecycleState, cdpage.SetWebLifecycleStateParams{State: state})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

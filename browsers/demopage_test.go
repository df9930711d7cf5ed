package browsers

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"runnel/hubtest"
)

// demo is the hub's own page in a window of Chromium.
type demo struct {
	t   testing.TB
	tab context.Context
	hub *hubtest.Node

	mu       sync.Mutex
	console  []string
	requests []string
}

// openDemo opens the page at "/" and returns when it is live: the dashboard, the
// rooms and both sides.
func openDemo(t testing.TB, hub *hubtest.Node) *demo {
	t.Helper()
	return openRoom(t, hub, "")
}

// openRoom is openDemo with a fragment, "#chat:lobby" say.
func openRoom(t testing.TB, hub *hubtest.Node, fragment string) *demo {
	t.Helper()
	d := openPage(t, hub, "/"+fragment)
	d.until("four live parts", `document.querySelectorAll('[data-state="live"]').length === 4`)
	d.until("something to see from the first moment", `document.getElementById("sides-channel").textContent !== "chat:lobby" ||
		document.querySelectorAll('.try li .dot[data-seen="both"]').length >= 2`)
	return d
}

// openPage opens a page of the hub.
func openPage(t testing.TB, hub *hubtest.Node, path string) *demo {
	t.Helper()
	tab, end := chromedp.NewContext(cast(t).browsers[0].tab)
	t.Cleanup(end)
	d := &demo{t: t, tab: tab, hub: hub}
	if err := chromedp.Listen(tab, d.hear); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(tab, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(tab, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	d.resize(1280, false, false)
	d.do(chromedp.Navigate(hub.URL + path))
	return d
}

// hear keeps what a developer would see in the console, and where the page
// turns to.
func (d *demo) hear(e any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch e := e.(type) {
	case *runtime.EventConsoleAPICalled:
		for _, arg := range e.Args {
			d.console = append(d.console, string(arg.Value))
		}
	case *runtime.EventExceptionThrown:
		d.console = append(d.console, e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		d.console = append(d.console, e.Entry.Text+" "+e.Entry.URL)
	case *network.EventRequestWillBeSent:
		d.requests = append(d.requests, e.Request.URL)
	case *network.EventWebSocketCreated:
		d.requests = append(d.requests, e.URL)
	}
}

// clean fails if anything stood in the console (violations of the policy stand
// there too), or the page turned to anyone but the hub.
func (d *demo) clean() {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.console) > 0 {
		d.t.Errorf("the console has %q", d.console)
	}
	if len(d.requests) < 10 {
		d.t.Errorf("only %q were requested, so the test sees too little", d.requests)
	}
	for _, url := range d.requests {
		_, rest, _ := strings.Cut(url, "://")
		if host, _, _ := strings.Cut(rest, "/"); host != d.hub.Addr {
			d.t.Errorf("the page requests %s", url)
		}
	}
}

func (d *demo) do(steps ...chromedp.Action[chromedp.Void]) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.tab, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		d.t.Fatal(err)
	}
}

func evaluate[T any](d *demo, expression string, options ...chromedp.EvaluateOption) T {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.tab, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, options...))
	if err != nil {
		d.t.Fatalf("%v: %s", err, expression)
	}
	return v
}

// resize gives the page another width and colour scheme.
func (d *demo) resize(width int64, dark, mobile bool) {
	d.t.Helper()
	size := emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 900, DeviceScaleFactor: 1, Mobile: mobile}
	if _, err := chromedp.Call(d.tab, emulation.SetDeviceMetricsOverride, size); err != nil {
		d.t.Fatal(err)
	}
	scheme := map[bool]string{false: "light", true: "dark"}[dark]
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(d.tab, emulation.SetEmulatedMedia, media); err != nil {
		d.t.Fatal(err)
	}
}

// shoot keeps a picture of the whole page among the test's artifacts.
func (d *demo) shoot(name string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.tab, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.t.ArtifactDir(), name+".png"), picture, 0o644); err != nil {
		d.t.Fatal(err)
	}
}

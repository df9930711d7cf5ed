package browsers

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"runnel/hubtest"
)

// openLab opens the firewall lab and returns when its count runs.
func openLab(t testing.TB, hub *hubtest.Node) *demo {
	t.Helper()
	tab, end := chromedp.NewContext(cast(t).browsers[0].tab)
	t.Cleanup(end)
	d := &demo{t: t, tab: tab, hub: hub}
	d.resize(1280, false, false)
	d.do(chromedp.Navigate(hub.URL + "/lab"))
	d.untilRung("WebSocket")
	return d
}

// untilRung waits until events come over that rung: some that were sent later.
func (d *demo) untilRung(name string) {
	d.t.Helper()
	d.until("events over "+name, fmt.Sprintf(`document.getElementById("rung").textContent === %q`, name))
	d.until("the count", `Number(document.getElementById("sent").textContent)`)
	sent := d.text("#sent")
	d.until("events sent after "+sent, fmt.Sprintf(`Number(document.getElementById("received").textContent) > %s + 1`, sent))
}

func (d *demo) flip(name string) {
	d.t.Helper()
	lines := d.text("#log")
	d.click(fmt.Sprintf(`#switches input[name=%q]`, name))
	d.until(name+" is switched", fmt.Sprintf(`document.getElementById("log").textContent !== %q && !document.querySelector("#switches[aria-busy]")`, lines))
}

// Each switch is flipped while the chat runs; at the end nothing was lost and
// nothing doubled.
func TestLab(t *testing.T) {
	t.Parallel()
	d := openLab(t, hubtest.Start(t))
	said := 0
	talk := func(text string) {
		t.Helper()
		d.set(`#talk input`, text)
		d.click("#talk button")
		said++
	}
	heard := func() {
		t.Helper()
		d.until(fmt.Sprintf("%d messages", said), fmt.Sprintf(`document.querySelectorAll("#messages li").length === %d`, said))
	}
	for _, c := range []struct {
		faults []string
		rung   string
	}{
		{[]string{"refuse_upgrades"}, "SSE + POST"},
		{[]string{"swallow_frames"}, "SSE + POST"},
		{[]string{"buffer_streams"}, "WebSocket"},
		{[]string{"swallow_frames", "buffer_streams"}, "Long-poll"},
	} {
		for _, fault := range c.faults {
			d.flip(fault)
		}
		talk(fmt.Sprint("through ", c.faults))
		d.untilRung(c.rung)
		heard()
		d.shoot(fmt.Sprint("lab-", c.rung))
		for _, fault := range c.faults {
			d.flip(fault)
		}
		d.untilRung("WebSocket")
	}

	d.flip("drop_network")
	talk("while nothing passes")
	received := d.text("#received")
	d.until("events that wait", fmt.Sprintf(`Number(document.getElementById("sent").textContent) > %s + 4`, received))
	d.until("what was said meanwhile waits", `[...document.querySelectorAll("#messages .waiting .said")].map((said) => said.textContent).join() === "while nothing passes"`)
	d.shoot("lab-waiting")
	d.flip("drop_network")
	d.untilRung("WebSocket")
	heard()
	d.until("nothing waits any more", `!document.querySelector("#messages .waiting")`)

	d.flip("cut_after") // all that is open is older than 20 s, or will be soon
	d.until("a cut", `[...document.querySelectorAll("#log li")].at(-1).textContent.includes("Comes over")`)
	d.untilRung("WebSocket")

	d.click("#pause")
	d.until("all has come", `((sent, received) => sent === received && document.getElementById("pause").textContent === "Publish again")(
		document.getElementById("sent").textContent, document.getElementById("received").textContent)`)
	for _, count := range []string{"#lost", "#doubled"} {
		if got := d.text(count); got != "0" {
			t.Errorf("%s is %s; %s", count, got, d.text("#log"))
		}
	}
}

func TestLabLooks(t *testing.T) {
	t.Parallel()
	d := openLab(t, hubtest.Start(t))
	d.flip("cut_after")
	d.set(`#talk input`, "Is anybody behind this firewall?")
	d.click("#talk button")
	d.until("the message", `document.querySelector("#messages li")`)
	for _, look := range []struct {
		name   string
		width  int64
		dark   bool
		mobile bool
	}{
		{"lab", 1280, false, false}, {"lab-dark", 1280, true, false}, {"lab-phone", 390, false, true},
		{"lab-phone-dark", 390, true, true}, {"lab-narrow", 320, false, true},
	} {
		d.resize(look.width, look.dark, look.mobile)
		d.until("nothing sticks out at "+look.name, `document.documentElement.scrollWidth <= innerWidth`)
		d.shoot(look.name)
	}
}

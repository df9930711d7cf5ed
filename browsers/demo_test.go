package browsers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"runnel/hubtest"
)

// plotted counts the plots that show a figure and a line.
const plotted = `[...document.querySelectorAll(".plot")].filter((plot) =>
	/^[0-9.,]+$/.test(plot.querySelector(".value").textContent) && plot.querySelector(".line").getAttribute("d")).length`

func TestDemoDashboard(t *testing.T) {
	t.Parallel()
	d := openDemo(t, hubtest.Start(t))
	d.until("six plots with figures", plotted+` === 6`)
	d.until("two feeds are counted", `/^[2-4]$/.test(document.querySelector(".plot .value").textContent)`)
	at := d.text(`#dashboard [data-part="position"]`)
	d.until("the next figures", fmt.Sprintf(`document.querySelector('#dashboard [data-part="position"]').textContent !== %q`, at))
	d.until("version and store", `document.querySelector('[data-fact="store"]').textContent === "memory" && document.querySelector('[data-fact="version"]').textContent !== "–"`)
	d.clean()
}

func TestDemoRoom(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	d := openDemo(t, hub)
	d.say("first words")
	d.say(`<img src=x onerror="alert(1)"> & "quotes"`)
	d.untilBoth(2)
	if ids := history(t, hub, "chat:lobby"); !slices.Equal(d.ids("socket"), ids) || !slices.Equal(d.ids("sse"), ids) {
		t.Errorf("the log has %v, the WebSocket shows %v, SSE %v", ids, d.ids("socket"), d.ids("sse"))
	}
	d.clean()
}

// TestDemoTyping: who types is seen by others for as long as that goes on, and
// nobody keeps it.
func TestDemoTyping(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	ann, bob := openDemo(t, hub), openDemo(t, hub)
	ann.set(`#chat .say input[name="name"]`, "ann")
	within(t, "bob sees ann type", func() bool {
		ann.do(chromedp.SendKeys(`#chat .say input[name="text"]`, "so "))
		return bob.text("#chat .say .typing") == "ann is typing …"
	})
	if own := ann.text("#chat .say .typing"); own != "" {
		t.Errorf("ann sees %q", own)
	}
	ann.click("#chat .say button")
	bob.untilText("#chat .say .typing", "")
	bob.untilBoth(1)
	if ids := history(t, hub, "chat:lobby"); len(ids) != 2 { // with the greeting
		t.Errorf("the log has %v", ids)
	}
	ann.clean()
	bob.clean()
}

func TestDemoPublish(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	d := openDemo(t, hub)
	d.click("#publish-form button")
	d.until("the answer", `document.querySelector("#publish .outcome .id")`)
	d.untilBoth(1)
	if ids := history(t, hub, "chat:lobby"); len(ids) != 2 || d.text("#publish .outcome .id") != ids[1] {
		t.Errorf("the log has %v, the page says %s", ids, d.text("#publish .outcome .id"))
	}
	out, err := exec.Command("sh", "-c", d.text("#curl-publish")).CombinedOutput()
	if err != nil {
		t.Fatalf("the page's curl command: %v\n%s", err, out)
	}
	d.untilBoth(2)
	d.click(`[data-copy="curl-publish"]`)
	d.untilText(`[data-copy="curl-publish"]`, "Copied")
	d.clean()

	d.set("#publish-form textarea", "{bad")
	d.click("#publish-form button")
	d.until("the refusal", `document.querySelector("#publish .outcome.bad")`)
	if status := d.text("#publish .status-line"); status != "Not published" {
		t.Errorf("bad JSON is %q", status)
	}
}

// Ten seconds without a side lose nothing, and the page says so.
func TestDemoCut(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	d := openDemo(t, hub)
	d.say("before")
	d.untilBoth(1)
	before := history(t, hub, "chat:lobby")[1]
	for _, panel := range []string{"#socket", "#sse", "#dashboard"} {
		d.click(panel + ` [data-part="cut"]`)
	}
	d.until("all are cut", `document.querySelectorAll('[data-state="cut"]').length === 3`)
	(&publisher{t: t, url: hub.URL, channel: "chat:lobby"}).publish(3) // at once: the panels come back by themselves
	d.shoot("cut")
	d.untilBoth(4)
	if ids := history(t, hub, "chat:lobby"); !slices.Equal(d.ids("socket"), ids) || !slices.Equal(d.ids("sse"), ids) {
		t.Errorf("the log has %v, the WebSocket shows %v, SSE %v", ids, d.ids("socket"), d.ids("sse"))
	}
	said := fmt.Sprintf("Missed nothing: meanwhile 3 events came after %s.", before)
	for _, panel := range []string{"#socket", "#sse"} {
		d.untilText(panel+` [data-part="account"]`, said)
	}
	d.until("the dashboard missed nothing",
		`/^Missed nothing: meanwhile ([89]|[1-9][0-9]) events came/.test(document.querySelector('#dashboard [data-part="account"]').textContent)`)
	d.shoot("back")
	d.clean()
}

// The page goes on by itself when the hub comes back, as another node.
func TestDemoRestart(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, "--store", "bolt:"+filepath.Join(t.TempDir(), "runnel.db"))
	d := openDemo(t, hub)
	d.say("before")
	d.untilBoth(1)
	node := d.text("#node")
	hub.Kill()
	d.until("the page notices", `document.querySelectorAll('[data-state="live"]').length === 0`)
	hub.Restart()
	(&publisher{t: t, url: hub.URL, channel: "chat:lobby"}).publish(2)
	d.untilBoth(3)
	d.until("the new node's name", fmt.Sprintf(`document.getElementById("node").textContent !== %q`, node))
	if at, name := d.text("#dashboard-channel"), d.text("#node"); at != "$node:"+name {
		t.Errorf("the dashboard shows %s of node %s", at, name)
	}
	d.until("the new node's figures", `/^1?\d s$/.test(document.querySelector('[data-fact="uptime"]').textContent)`)
	d.until("all are live", `document.querySelectorAll('[data-state="live"]').length === 4`)
}

func TestDemoLooks(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	d := openDemo(t, hub)
	for _, text := range []string{"Deploy of build 4711 is through.", "Thanks! Who watches the queue?",
		"A longer one, to see how it breaks: " + strings.Repeat("the quick brown fox ", 8)} {
		d.say(text)
	}
	d.click("#publish-form button")
	d.untilBoth(4)
	d.until("some figures", `document.querySelector(".plot .line").getAttribute("d").split("L").length > 4`)
	for _, look := range []struct {
		name   string
		width  int64
		dark   bool
		mobile bool
	}{
		{"desktop", 1280, false, false}, {"desktop-dark", 1280, true, false}, {"tablet", 820, false, true},
		{"phone", 390, false, true}, {"phone-dark", 390, true, true}, {"narrow", 320, false, true},
	} {
		d.resize(look.width, look.dark, look.mobile)
		d.until("nothing sticks out at "+look.name, `document.documentElement.scrollWidth <= innerWidth`)
		d.shoot(look.name)
	}
	d.clean()
}

// history is the IDs of a channel's events, as the log has them.
func history(t testing.TB, hub *hubtest.Node, channel string) (ids []string) {
	t.Helper()
	resp, err := web.Get(hub.URL + "/channels/" + channel + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var page struct{ Events []struct{ ID string } }
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("history: %d (%v)", resp.StatusCode, err)
	}
	for _, e := range page.Events {
		ids = append(ids, e.ID)
	}
	return ids
}

// say sends a message in the room.
func (d *demo) say(text string) {
	d.t.Helper()
	before := d.text("#chat .say .outcome")
	d.set(`#chat .say input[name="text"]`, text)
	d.click("#chat .say button")
	d.until("it is published", fmt.Sprintf(`((said) => said !== %q && said.startsWith("Published as "))(document.querySelector("#chat .say .outcome").textContent)`, before))
}

// said is what stands in lists of messages beside the page's own greeting.
func said(selector string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("%s .messages li")].filter((row) => row.querySelector(".who")?.textContent !== "this page")`, selector)
}

// untilBoth waits until both sides of the room show that many events, each
// marked as seen on both.
func (d *demo) untilBoth(count int) {
	d.t.Helper()
	d.until(fmt.Sprintf("%d events on both sides", count),
		fmt.Sprintf(`((rows) => rows.length === %d && rows.every((row) => row.querySelector(".dot").dataset.seen === "both"))(`+said(".try")+`)`, 2*count))
}

// ids are the event IDs that a side of the room shows.
func (d *demo) ids(side string) []string {
	d.t.Helper()
	return evaluate[[]string](d, fmt.Sprintf(`[...document.querySelectorAll("#%s li .id")].map((id) => id.textContent)`, side))
}

func (d *demo) set(selector, value string) {
	d.t.Helper()
	d.do(chromedp.SetValue(selector, value))
}

// click presses what can be pressed, wherever it is by then: a mouse aims first
// and presses later, and a table that gets a row in between moves the page.
func (d *demo) click(selector string) {
	d.t.Helper()
	d.until(selector+" to press", fmt.Sprintf(`((e) => e && !e.disabled && e.checkVisibility({ visibilityProperty: true }))(document.querySelector(%q))`, selector))
	byPerson := true // or there is no clipboard
	evaluate[bool](d, fmt.Sprintf(`(document.querySelector(%q).click(), true)`, selector), func(p *runtime.EvaluateParams) { p.UserGesture = &byPerson })
}

func (d *demo) text(selector string) string {
	d.t.Helper()
	return evaluate[string](d, fmt.Sprintf(`document.querySelector(%q).textContent`, selector))
}

func (d *demo) untilText(selector, text string) {
	d.t.Helper()
	d.until(text, fmt.Sprintf(`document.querySelector(%q).textContent === %q`, selector, text))
}

// until polls until the page finds the expression true.
func (d *demo) until(what, expression string) {
	d.t.Helper()
	for deadline := time.Now().Add(patience); !evaluate[bool](d, "Boolean("+expression+")"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.shoot("failed")
			d.t.Fatalf("the page waits in vain for: %s; it shows\n%s", what, d.text("main"))
		}
	}
}

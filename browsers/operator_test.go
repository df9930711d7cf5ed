package browsers

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"runnel/hubtest"
	"runnel/streams/streamstest"
)

const live = `document.querySelector("#node")?.dataset.state === "live"`

func TestOperatorNode(t *testing.T) {
	t.Parallel()
	redis := streamstest.StartRedis(t)
	one, two := hubtest.Start(t, "--store", redis.URL()), hubtest.Start(t, "--store", redis.URL())
	d := openPage(t, one, "/operator")
	d.until("six plots with figures", plotted+` === 6`)
	d.until("live", live)
	d.until("its own connections are counted", `Number(document.querySelector(".plot .value").textContent) >= 1`)
	d.until("the other node to choose", `document.querySelectorAll("#node select option").length === 2`)
	own := evaluate[string](d, `document.querySelector("#node select").value`)
	lists := func(what string, chosen bool) {
		d.until(what, fmt.Sprintf(`((list) => list("node").textContent === %q && list("other").hidden === %t)((part) => document.querySelector('#channels [data-part=' + part + ']'))`, own, chosen))
	}
	lists("its channels", true)
	d.run(`(() => { const s = document.querySelector("#node select"); s.selectedIndex = 1 - s.selectedIndex; s.dispatchEvent(new Event("change")); })()`)
	d.until("the other node's figures", live+` && `+plotted+` === 6 && document.querySelector('#node [data-part="facts"] dd')`)
	if at := d.text(`#node [data-part="channel"]`); at == "$node:"+own || !strings.HasPrefix(at, "$node:") {
		t.Errorf("the page shows %s, it began with %s", at, own)
	}
	lists("that its channels are not those of the other node", false)
	two.Stop()
	d.until("the chosen node is gone, and stays", `document.querySelector("#node").dataset.state === "gone" && document.querySelectorAll("#node select option").length === 2`)
	d.run(fmt.Sprintf(`(() => { const s = document.querySelector("#node select"); s.value = %q; s.dispatchEvent(new Event("change")); })()`, own))
	d.until("the node that ended is not offered", live+` && document.querySelectorAll("#node select option").length === 1`)
	d.clean()
	one.Kill()
	one.Restart()
	d.until("the node that took the place of this one", live+fmt.Sprintf(` && document.querySelector("#node select").value === %q`, one.Name))
}

func TestOperatorChannel(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	p := &publisher{t: t, url: hub.URL, channel: "orders:1"}
	p.publish(70)
	d := openPage(t, hub, "/operator")
	d.set(`#channel input[name="channel"]`, "orders:1")
	d.click(`#channel form.link button`)
	d.until("thirty events of history", `document.querySelectorAll("#channel li").length === 30`)
	d.click(`#channel [data-part="older"]`)
	d.until("older ones", `document.querySelectorAll("#channel li").length === 60`)
	d.click(`#channel [data-part="older"]`)
	d.until("all of them", `document.querySelectorAll("#channel li").length === 70`)
	d.until("no older ones are offered", `document.querySelector('#channel [data-part="older"]').hidden`)
	d.set(`#channel input[name="event"]`, "test")
	d.click(`#channel .test button`)
	d.until("the answer", `document.querySelector("#channel .outcome").textContent.startsWith("Published as ")`)
	d.until("the event came", `document.querySelectorAll("#channel li").length === 71 && document.querySelector("#channel li .kind")?.textContent === "test"`)
	ids := evaluate[[]string](d, `[...document.querySelectorAll("#channel li .id")].map((id) => id.textContent)`)
	slices.Reverse(ids)
	if want := history(t, hub, "orders:1"); !slices.Equal(ids, want) {
		t.Errorf("the page shows %v, the log has %v", ids, want)
	}
	d.until("the page itself among the readers", `document.querySelectorAll('#channel [data-part="readers"] tr').length === 1`)
	d.until("nothing older is offered", `document.querySelector('#channel [data-part="older"]').hidden`)
	d.until("which node's readers they are", fmt.Sprintf(`document.querySelector('#channel h3 [data-part="node"]').textContent === %q && document.querySelector('#channel [data-part="other"]').hidden`, hub.Name))
	d.until("that it is one of them", `document.querySelector('#channel [data-part="told"]').textContent.endsWith("This page is one of them.")`)
	d.until("what is retained", `document.querySelector('#channel [data-part="facts"] dd').textContent === "71"`)
	d.until("the channel in the list", `document.querySelector('#channels button[data-channel="orders:1"]')`)
	d.set(`#channels input`, "nothing")
	d.run(`document.querySelector("#channels input").dispatchEvent(new Event("input"))`)
	d.until("an empty list", `document.querySelector('#channels [data-part="told"]').textContent === "None."`)
	d.set(`#channel textarea`, "{bad")
	d.clean()
	d.click(`#channel .test button`)
	d.until("the refusal", `document.querySelector("#channel .outcome.bad")`)
}

// TestOperatorPages: more channels than a page has are turned over, and one is
// looked into from the list.
func TestOperatorPages(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	var names []string
	for i := range 30 {
		names = append(names, fmt.Sprintf("page:%02d", i))
	}
	openFeed(t.Context(), t, hub.URL+"/events?"+url.Values{"channel": names}.Encode())
	(&publisher{t: t, url: hub.URL, channel: "page:07"}).publish(1)
	d := openPage(t, hub, "/operator")
	d.set(`#channels input`, "page:")
	d.run(`document.querySelector("#channels input").dispatchEvent(new Event("input"))`)
	listed := func(what string, first, count int) {
		t.Helper()
		d.until(what, fmt.Sprintf(`((rows) => rows.length === %d && rows[0].textContent === "page:%02d")(document.querySelectorAll("#channels [data-channel]"))`, count, first))
	}
	listed("the first page", 0, 25)
	d.click(`#channels [data-part="next"]`)
	listed("the next", 25, 5)
	d.click(`#channels [data-part="first"]`)
	listed("the first again", 0, 25)
	d.click(`#channels [data-channel="page:07"]`)
	d.until("its event", `document.querySelectorAll("#channel li").length === 1 && document.querySelector("#channel input").value === "page:07"`)
	d.clean()
}

// TestOperatorStored: channels that nobody reads are listed too, and a name
// that nobody ever used is said to be one.
func TestOperatorStored(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, "--store", streamstest.StartRedis(t).URL())
	for i := range 3 {
		(&publisher{t: t, url: hub.URL, channel: fmt.Sprint("quiet:", i)}).publish(i + 1)
	}
	d := openPage(t, hub, "/operator")
	d.until("a list", live+` && document.querySelector("#channels th")?.textContent === "Channel"`)
	d.set(`#channels input`, "quiet:")
	d.run(`(() => { const s = document.querySelector("#channels select"); s.value = "stored"; s.dispatchEvent(new Event("change")); })()`)
	d.until("those that nobody reads", `[...document.querySelectorAll("#channels tbody tr")].map((row) => [...row.cells].slice(0, 3).map((cell) => cell.textContent).join(" ")).join() === "quiet:0 1 0,quiet:1 2 0,quiet:2 3 0"`)
	d.click(`#channels [data-channel="quiet:2"]`)
	d.until("its events", `document.querySelectorAll("#channel li").length === 3`)
	d.until("it was used", `document.querySelector('#channel [data-part="facts"] dd')?.textContent === "3" && document.querySelector('#channel [data-part="unused"]').textContent === ""`)
	d.set(`#channel input[name="channel"]`, "quite:2")
	d.click(`#channel form.link button`)
	d.until("it was not", `document.querySelector('#channel [data-part="unused"]').textContent === "Nobody has ever published to this name, and nobody but this page reads it there: is it spelt right?"`)
	d.clean()
}

// TestOperatorToken: with keys the page asks for a token, which stands in no
// URL, and says what the token does not allow.
func TestOperatorToken(t *testing.T) {
	t.Parallel()
	const secret = "a secret of the tests, long enough for HS256"
	hub := hubtest.Start(t, "--jwt-secret", secret)
	d := openPage(t, hub, "/operator")
	d.until("it asks", `document.querySelector("#ask")?.hidden === false && document.querySelector("#node")?.hidden`)
	d.set(`#ask input[name="token"]`, hubtest.Token(t, secret, "--sub", "ann", "--subscribe", "**"))
	d.click(`#ask button`)
	d.until("no admin", `document.querySelector("#ask .outcome").textContent === "an admin token is needed"`)
	admin := hubtest.Token(t, secret, "--sub", "ops", "--admin", "--subscribe", "orders:*")
	d.set(`#ask input[name="token"]`, admin)
	d.click(`#ask button`)
	d.until("figures", plotted+` === 6 && `+live)
	for _, c := range [][2]string{{"chat:1", "no right to subscribe to chat:1"}, {"orders:1", ""}} {
		channel, said := c[0], c[1]
		d.set(`#channel input[name="channel"]`, channel)
		d.click(`#channel form.link button`)
		d.until("what may be read of "+channel, fmt.Sprintf(`document.querySelector('#channel [data-part="trouble"]').textContent === %q`, said))
	}
	d.until("the channel is live", `document.querySelector("#channel").dataset.state === "live"`)
	d.until("all that moves what stands below", `document.querySelector('#channel [data-part="facts"] dd') && document.querySelector('#channel [data-part="readers"] td')`)
	d.click(`#channel .test button`)
	d.until("no right to publish", `document.querySelector("#channel .outcome.bad")`)
	d.mu.Lock()
	for _, at := range d.requests {
		if strings.Contains(at, admin) {
			t.Errorf("the token stands in %s", at)
		}
	}
	d.mu.Unlock()
	d.click("#forget")
	d.until("it asks again", `document.querySelector("#ask")?.hidden === false && document.querySelector("#node")?.hidden && sessionStorage.length === 0`)
}

func TestOperatorLooks(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	for _, channel := range []string{"orders:1", "orders:2", "chat:a-room-with-a-rather-long-name:" + strings.Repeat("x", 60)} {
		p := &publisher{t: t, url: hub.URL, channel: channel}
		p.publish(12)
	}
	d := openPage(t, hub, "/operator")
	d.until("figures", plotted+` === 6 && `+live)
	d.set(`#channel input[name="channel"]`, "orders:1")
	d.click(`#channel form.link button`)
	d.until("its events", `document.querySelectorAll("#channel li").length === 12`)
	d.until("its readers", `document.querySelectorAll('#channel [data-part="readers"] tr').length === 1`)
	d.until("some figures", `document.querySelector(".plot .line").getAttribute("d").split("L").length > 4`)
	for _, look := range []struct {
		name   string
		width  int64
		dark   bool
		mobile bool
	}{
		{"desktop", 1280, false, false}, {"desktop-dark", 1280, true, false},
		{"phone", 390, false, true}, {"phone-dark", 390, true, true}, {"narrow", 320, false, true},
	} {
		d.resize(look.width, look.dark, look.mobile)
		d.until("nothing sticks out at "+look.name, `document.documentElement.scrollWidth <= innerWidth`)
		d.shoot(look.name)
	}
	d.clean()
}

// run runs an expression that gives nothing.
func (d *demo) run(expression string) {
	d.t.Helper()
	evaluate[bool](d, `(`+expression+`, true)`)
}

package browsers

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runnel/hubtest"
)

// TestPlotsAreRead: a plot of several figures is stacked to the sum that stands
// above it, its scale has room for that, and a pointer and the keys read values.
func TestPlotsAreRead(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	for range 3 {
		openFeed(t.Context(), t, hub.URL+"/channels/c/events")
	}
	d := openDemo(t, hub)
	d.until("six plots with figures", plotted+` === 6`)
	d.until("all connections", `Number(document.querySelector(".plot .value").textContent) >= 6`)
	d.until("the sum is within the scale, and is where the stack ends", `(() => {
		const plot = document.querySelector(".plot");
		const [value, top] = [".value", ".top-label"].map((part) => Number(plot.querySelector(part).textContent));
		const y = Number(plot.querySelector(".end").getAttribute("d").split(/[ h]/)[1]);
		return value <= top && Math.abs(y - (39.5 - value / top * 36)) < .1;
	})()`)
	read := func() string {
		return evaluate[string](d, `document.querySelector(".chart").getAttribute("aria-valuetext")`)
	}
	parts := func(text string) (sum, of int) {
		t.Helper()
		before, after, _ := strings.Cut(text, ": ")
		sum, err := strconv.Atoi(before)
		if err != nil {
			t.Fatal(text)
		}
		for _, part := range strings.Split(after, ", ")[:3] {
			n, _, _ := strings.Cut(part, " ")
			count, err := strconv.Atoi(n)
			if err != nil {
				t.Fatal(text)
			}
			of += count
		}
		return sum, of
	}
	d.do(chromedp.Focus(".chart"))
	if text := read(); !strings.HasSuffix(text, ", now") {
		t.Errorf("with the focus it says %q", text)
	}
	for range 2 {
		d.do(chromedp.KeyEvent(kb.ArrowLeft))
	}
	d.until("two seconds ago", `/, [1-9] s ago$/.test(document.querySelector(".chart .at").textContent)`)
	if sum, of := parts(read()); sum != of || sum == 0 {
		t.Errorf("the sum is not that of its parts: %q", read())
	}
	d.run(`document.querySelector(".chart").blur()`)
	d.until("nothing is read", `document.querySelector(".chart .at").textContent === "" && !document.querySelector(".chart .cursor").getAttribute("d")`)
	d.run(`(() => { const chart = document.querySelector(".chart"), { right, top } = chart.getBoundingClientRect();
		chart.dispatchEvent(new PointerEvent("pointermove", { clientX: right, clientY: top + 9 })); })()`)
	d.until("what the pointer is at", `document.querySelector(".chart .at").textContent.endsWith(", now") && document.querySelector(".chart .cursor").getAttribute("d")`)
	d.clean()
}

// TestPagesAreOrdered: what assistive technology goes by, on all pages: lists
// are lists, everything stands in a landmark, and headings leave none out.
func TestPagesAreOrdered(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	for path, ready := range map[string]string{"/": `document.querySelector("#chat li")`, "/lab": `document.querySelector("#log li")`, "/operator": live} {
		d := openPage(t, hub, path)
		d.until("the page", ready)
		for what, expression := range map[string]string{
			"lists without another role":             `document.querySelectorAll("ol[role], ul[role]").length === 0`,
			"items in lists":                         `[...document.querySelectorAll("li")].every((li) => li.parentElement.matches("ol, ul"))`,
			"all in landmarks":                       `[...document.body.children].every((e) => e.matches("header, main, template, .skip"))`,
			"a name for what is scrolled":            `[...document.querySelectorAll("[tabindex='0']")].every((e) => e.ariaLabel || e.getAttribute("aria-labelledby"))`,
			"one heading of the page":                `document.querySelectorAll("h1").length === 1`,
			"headings in order":                      `[...document.querySelectorAll("h1, h2, h3")].every((h, i, all) => i === 0 || h.tagName[1] - all[i - 1].tagName[1] <= 1)`,
			"the page that it is, among all":         fmt.Sprintf(`document.querySelector(".pages [aria-current]").getAttribute("href") === %q && document.querySelectorAll(".pages a").length === 3`, path),
			"what is published and comes goes first": `!document.querySelector("#try") || document.querySelector("main").firstElementChild.id === "try"`,
		} {
			d.until(what+" at "+path, expression)
		}
	}
}

package browsers

import (
	"fmt"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"runnel/hubtest"
)

// TestDemoRooms: what is said in a room is seen in it alone, counts as unread
// elsewhere, and is there as history for who comes later.
func TestDemoRooms(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	ann, bob := openDemo(t, hub), openRoom(t, hub, "#chat:deploys")
	ann.say("in the lobby")
	for i := range 2 {
		bob.say(fmt.Sprintf("deploy %d", i))
	}
	ann.untilRead("in the lobby")
	bob.untilRead("deploy 0", "deploy 1")
	ann.untilUnread("chat:deploys", "2")
	bob.untilUnread("chat:lobby", "1")
	if name := ann.text(`.rooms a[href="#chat:deploys"]`); name != "deploys2" {
		t.Errorf("the link says %q", name)
	}
	ann.shoot("unread")

	ann.do(chromedp.Focus(`.rooms a[href="#chat:deploys"]`), chromedp.KeyEvent("\r"))
	ann.untilRead("deploy 0", "deploy 1")
	ann.untilUnread("chat:deploys", "")
	ann.untilBoth(2)
	ann.say("seen")
	bob.untilRead("deploy 0", "deploy 1", "seen")
	if ids := history(t, hub, "chat:deploys"); !slices.Equal(ann.ids("chat"), ids) || !slices.Equal(ann.ids("socket"), ids) {
		t.Errorf("the log has %v, the room shows %v, the WebSocket %v", ids, ann.ids("chat"), ann.ids("socket"))
	}
	if fragment := evaluate[string](ann, "location.hash"); fragment != "#chat:deploys" {
		t.Errorf("the fragment is %q", fragment)
	}
	evaluate[bool](ann, `(history.back(), true)`)
	ann.untilRead("in the lobby")
	ann.clean()
	bob.clean()
}

// TestDemoRoomFromElsewhere: an address names a room that the page does not
// offer; what is no room's name opens the first.
func TestDemoRoomFromElsewhere(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t)
	d := openRoom(t, hub, "#chat:team~42:@x")
	d.say("among us")
	d.untilRead("among us")
	if ids := history(t, hub, "chat:team~42:@x"); len(ids) != 1 {
		t.Errorf("the log has %v", ids)
	}
	evaluate[string](d, `location.hash = "chat:other"`)
	d.untilRead()
	d.until("one room beside those offered", `document.querySelectorAll(".rooms a").length === 4`)
	d.clean()

	d = openRoom(t, hub, "#chat:a%20b")
	for _, fragment := range []string{"#chat:a%20b", "#main", "#chat:", "#$node:x"} {
		evaluate[string](d, fmt.Sprintf("location.hash = %q", fragment))
		if at := d.text("#sides-channel"); at != "chat:lobby" {
			t.Errorf("%s opens %s", fragment, at)
		}
	}
}

// untilRead waits until the open room shows these words and no others.
func (d *demo) untilRead(words ...string) {
	d.t.Helper()
	d.until(fmt.Sprintf("%q in the room", words),
		fmt.Sprintf(`JSON.stringify(%s.map((row) => row.querySelector(".what").textContent)) === JSON.stringify(%s)`, said("#chat"), quoted(words)))
}

// untilUnread waits until the link to a room has that mark.
func (d *demo) untilUnread(channel, mark string) {
	d.t.Helper()
	d.untilText(fmt.Sprintf(`.rooms a[href="#%s"] .unread`, channel), mark)
}

// quoted writes an array of JavaScript.
func quoted(words []string) string {
	list := "["
	for _, w := range words {
		list += fmt.Sprintf("%q,", w)
	}
	return list + "]"
}

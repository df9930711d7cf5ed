package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"runnel/auth"
)

// TestStoredChannels: an operator sees channels that nobody reads, page by
// page, and that a name was never used.
func TestStoredChannels(t *testing.T) {
	n := startNode(t)
	admin := n.token(auth.Claims{Subject: "ops", Admin: true})
	get := func(path string) reply { t.Helper(); return n.send(request{method: "GET", path: path, token: admin}) }
	for i := range 25 {
		n.publish(fmt.Sprintf("/channels/quiet:%02d/events", i), asText, "x")
	}
	n.publish("/channels/other/events", asText, "x")
	var names []string
	for path := "/channels?stored=true&prefix=quiet:&limit=10"; path != ""; {
		var page channelList[storedJSON]
		r := get(path)
		if err := json.Unmarshal([]byte(r.body), &page); err != nil || r.StatusCode != http.StatusOK || page.Node != "n1" || page.More != (page.Next != nil) {
			t.Fatalf("%s: %s, %v", path, r.body, err)
		}
		for _, c := range page.Channels {
			if c.Events != 1 || c.Readers != 0 || c.LastEventID == "" {
				t.Errorf("%+v", c)
			}
			names = append(names, c.Channel)
		}
		if path = ""; page.More {
			path = "/channels?stored=true&prefix=quiet:&limit=10&after=" + *page.Next
		}
	}
	if len(names) != 25 || names[0] != "quiet:00" || names[24] != "quiet:24" {
		t.Errorf("listed %v", names)
	}
	if r := get("/channels?prefix=quiet:"); !strings.Contains(r.body, `"channels":[],"more":false,"next":null`) {
		t.Errorf("read now: %s", r.body)
	}
	for path, used := range map[string]bool{"/channels/quiet:00": true, "/channels/quite:00": false} {
		if r := get(path); !strings.Contains(r.body, fmt.Sprintf(`"log":{"used":%t,`, used)) {
			t.Errorf("%s: %s", path, r.body)
		}
	}
	n.wantCode(get("/channels?stored=yes"), http.StatusBadRequest, codeBadRequest)
	n.wantCode(n.send(request{method: "GET", path: "/channels?stored=true", token: n.token(auth.Claims{Subject: "ann"})}), http.StatusForbidden, codeForbidden)
}

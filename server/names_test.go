package server

import (
	"strings"
	"testing"

	"runnel/auth"
	"runnel/streams"
)

// TestOneRuleForNames: what auth takes for a channel's name is what streams
// does; neither imports the other.
func TestOneRuleForNames(t *testing.T) {
	for c := range 256 {
		name := "a" + string([]byte{byte(c)}) + "b"
		_, err := auth.ParsePattern(name)
		if valid := streams.ValidChannel(name) == nil; valid != (err == nil) && c != '*' {
			t.Errorf("%q: a channel %v, a pattern %v", name, valid, err)
		}
	}
	if _, err := auth.ParsePattern("$a"); err != nil || streams.ValidChannel("$a") != nil {
		t.Error("a channel of the hub's own is a pattern and a name")
	}
	longest := strings.Repeat("x", streams.MaxChannelName-len("user:"))
	if name := auth.UserChannel(longest); streams.ValidChannel(name) != nil {
		t.Errorf("%d bytes: %q", len(longest), name)
	}
	if name := auth.UserChannel(longest + "x"); name != "" {
		t.Errorf("a channel's name of %d bytes", len(name))
	}
}

// TestTicketsOpenWhatFeedsCarry: a ticket is for as many channels as a feed.
func TestTicketsOpenWhatFeedsCarry(t *testing.T) {
	n := startNode(t, demo)
	for extra, want := range []int{200, 400} {
		channels := make([]string, streams.MaxCursor+extra)
		for i := range channels {
			channels[i] = `"c` + strings.Repeat("x", i) + `"`
		}
		r := n.send(request{method: "POST", path: "/tickets", kind: "application/json", body: `{"channels":[` + strings.Join(channels, ",") + `]}`})
		if r.StatusCode/100 != want/100 {
			t.Errorf("%d channels: %d %s", len(channels), r.StatusCode, r.body)
		}
	}
}

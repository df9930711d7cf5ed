package server

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestNotFoundNamesTheNearest: who asks for an address that does not exist is
// told the one that was probably meant, and no other.
func TestNotFoundNamesTheNearest(t *testing.T) {
	n := startNode(t)
	for path, near := range map[string]string{
		"/channel/news/events":                  "/channels/{channel}/events",
		"/channels/news/event":                  "/channels/{channel}/events",
		"/channels/a:b/events/":                 "/channels/{channel}/events",
		"/Channels/news/ws":                     "/channels/{channel}/ws",
		"/chanels":                              "/channels",
		"/event":                                "/events",
		"/ticket":                               "/tickets",
		"/health":                               "/healthz",
		"/wss":                                  "/ws",
		"/nothing":                              "",
		"/x":                                    "",
		"/channels/news/publish":                "",
		"/favicon.ico":                          "",
		"/a/b/c/d/e/f":                          "",
		"/" + strings.Repeat("channels/", 1000): "",
	} {
		r := n.send(request{method: "GET", path: path})
		var body struct {
			Error struct{ Message string }
		}
		want := "there is nothing here"
		if near != "" {
			want += "; perhaps you mean " + near
		}
		if err := json.Unmarshal([]byte(r.body), &body); err != nil || r.StatusCode != http.StatusNotFound || body.Error.Message != want {
			t.Errorf("%.40s: %d %s, want %q", path, r.StatusCode, r.body, want)
		}
	}
}

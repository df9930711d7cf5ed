package server

import (
	"net/http"
	"strings"
	"testing"

	"runnel/auth"
)

// TestChannelsAreFoundByTheirEscapedNames: encodeURIComponent escapes the
// colons and at signs of names, wherever a name stands in a path.
func TestChannelsAreFoundByTheirEscapedNames(t *testing.T) {
	n := startNode(t)
	admin := n.token(auth.Claims{Subject: "root", Admin: true})
	for _, path := range []string{"/channels/chat:a@b", "/channels/chat%3Aa%40b", "/channels/%63hat:a@b"} {
		r := n.send(request{method: "GET", path: path, token: admin})
		if r.StatusCode != http.StatusOK || !strings.HasPrefix(r.body, `{"channel":"chat:a@b",`) {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.body)
		}
	}
	r := n.send(request{method: "GET", path: "/channels/a%2Fb", token: admin})
	n.wantCode(r, http.StatusBadRequest, codeBadRequest)
}

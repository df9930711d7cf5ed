package server

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"runnel/auth"
)

// TestShortTokenEndsItsFeed: a token that ends sooner than anything else is
// due is warned of at once, and ends the feed when it ends.
func TestShortTokenEndsItsFeed(t *testing.T) {
	n := startNode(t)
	claims := auth.Claims{Subject: "ann"}
	claims.Subscribe, _ = auth.ParsePatterns("a")
	token, err := n.auth.Sign(&claims, 4*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), "GET", n.url+"/channels/a/events", nil)
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := n.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	began, warned := time.Now(), false
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		warned = warned || strings.Contains(lines.Text(), "runnel.expiring")
	}
	if took := time.Since(began); took > patience || !warned {
		t.Errorf("ended after %v, warned: %v", took, warned)
	}
}

// TestWheelKeepsOneTime: setting a time replaces the one before, so a feed
// whose time is set often is not called more often for that.
func TestWheelKeepsOneTime(t *testing.T) {
	w := newWheel(time.Second, nil)
	f := &feed{}
	start := w.began
	for _, after := range []int{9, 5, 5, 7} {
		w.add(f, start.Add(time.Duration(after)*w.tick))
	}
	calls := 0
	for n, end := w.now, w.now+20; n < end; n++ {
		calls += len(w.take(n))
	}
	if calls != 1 {
		t.Errorf("called %d times", calls)
	}
}

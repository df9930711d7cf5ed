package server

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// TestWhoHangsUpIsNoError: a page that is closed takes its long-poll with it,
// which is nothing to alert anybody of.
func TestWhoHangsUpIsNoError(t *testing.T) {
	n := startNode(t, demo)
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	req, _ := http.NewRequestWithContext(ctx, "GET", n.url+"/channels/c/events?last_event_id=earliest&wait=60s", nil)
	ended := make(chan error, 1)
	go func() {
		_, err := n.client.Do(req)
		ended <- err
	}()
	eventually(t, "the poll waits", func() bool { return n.broker.Stats().Subscriptions == 1 })
	hangUp()
	if err := <-ended; err == nil {
		t.Error("the poll was answered")
	}
	eventually(t, "the hub is done with it", func() bool {
		return strings.Contains(n.output.String(), `msg=request request_id=`) && strings.Contains(n.output.String(), "path=/channels/c/events")
	})
	if codes := n.metrics.errors(); len(codes) > 0 {
		t.Errorf("counted: %v", codes)
	}
}

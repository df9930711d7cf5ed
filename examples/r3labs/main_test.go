package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/r3labs/sse/v2"

	"runnel/faultproxy"
	"runnel/hubtest"
)

func TestMain(m *testing.M) { os.Exit(hubtest.Main(m, http.DefaultClient.CloseIdleConnections)) }

// TestFollow: every event once, live, over a cut connection and a restart of
// the hub.
func TestFollow(t *testing.T) {
	n := hubtest.Start(t, "--store", "bolt:"+t.TempDir()+"/events.db")
	proxy, err := faultproxy.Listen(n.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	next := run(t, "http://"+proxy.Addr()+"/channels/news/events?last_event_id=earliest")
	publish := func(data string) {
		t.Helper()
		resp, err := http.Post(n.URL+"/channels/news/events", "text/plain", strings.NewReader(data))
		if err != nil || resp.StatusCode != http.StatusCreated {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
	}
	publish("one")
	next("one")
	proxy.Cut()
	publish("two")
	next("two")
	n.Stop()
	n.Restart()
	n.AwaitReady()
	publish("three")
	next("three")
}

// TestFollowRefused: what the hub will not open the next time either is the end.
func TestFollowRefused(t *testing.T) {
	n := hubtest.Start(t)
	next := run(t, n.URL+"/channels/a%20b/events") // no name of a channel
	next("")
}

// run follows a feed in the background; next waits for the line that ends in
// text, or for the end of all lines where it is "".
func run(t *testing.T, url string) (next func(text string)) {
	t.Helper()
	transport := &http.Transport{}
	feed := sse.NewClient(url)
	feed.Connection.Transport = transport
	ctx, cancel := context.WithCancel(t.Context())
	lines, out := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		out.CloseWithError(follow(ctx, feed, out))
	}()
	t.Cleanup(func() {
		cancel()
		lines.Close()
		<-ended
		transport.CloseIdleConnections()
	})
	read := bufio.NewScanner(lines)
	return func(text string) {
		t.Helper()
		stuck := time.AfterFunc(time.Minute, func() { lines.CloseWithError(context.DeadlineExceeded) })
		defer stuck.Stop()
		if more := read.Scan(); more != (text != "") || !strings.HasSuffix(read.Text(), text) {
			t.Fatalf("printed %q, %v; want %q", read.Text(), read.Err(), text)
		}
		if text == "" && !strings.Contains(read.Err().Error(), "400") {
			t.Errorf("ended with %v", read.Err())
		}
	}
}

package e2e

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// TestSocketRate: one too many is told so; who goes on is closed.
func TestSocketRate(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	s := openSocket(t, n.Addr, "/ws")
	s.want("welcome")
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for s.tryFrame(opText, true, `{"type":"ping"}`) == nil {
		}
	}()
	kinds := map[string]int{}
	var err error
	for err == nil {
		var m message
		if m, err = s.next(); err == nil {
			kinds[m.Type+m.Code]++
		}
	}
	var got closed
	if !errors.As(err, &got) || got.code != 4008 {
		t.Errorf("it ends with %v, want the close code 4008", err)
	}
	if kinds["pong"] < 40 || kinds["errorrate_limited"] < 99 {
		t.Errorf("before came %v", kinds)
	}
	s.close()
	<-sent
}

// TestSocketFlood: frames that are no messages are bounded too.
func TestSocketFlood(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	s := openSocket(t, n.Addr, "/ws")
	s.want("welcome")
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for s.tryFrame(opPing, true, "") == nil {
		}
	}()
	var err error
	for err == nil {
		_, err = s.next()
	}
	var got closed
	if !errors.As(err, &got) || got.code != 4008 || len(s.pongs) < 100 {
		t.Errorf("after %d pongs it ends with %v, want the close code 4008", len(s.pongs), err)
	}
	s.close()
	<-sent
}

// TestSocketOfManyChannels takes up the cursor of an SSE feed, and has a limit.
func TestSocketOfManyChannels(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	f := n.subscribe("/events?channel=a&channel=b")
	n.publish("a", "a1")
	n.publish("b", "b1")
	f.read()
	f.read()
	n.publish("a", "a2")
	n.publish("b", "b2")
	s := openSocket(t, n.Addr, "/ws?channel=a&channel=b&last_event_id="+f.lastID)
	s.want("welcome")
	var got []string
	for range 4 {
		m := s.read()
		got = append(got, m.Type+m.payload())
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"eventa2", "eventb2", "subscribed", "subscribed"}) {
		t.Errorf("the WebSocket brings %q", got)
	}
	path := "/ws?channel=x"
	for i := range 63 {
		path += fmt.Sprint("&channel=c", i)
	}
	most := openSocket(t, n.Addr, path)
	most.want("welcome")
	for range 64 {
		most.want("subscribed")
	}
	most.send(`{"type":"subscribe","channel":"one too many"}`)
	most.want("error")
	most.send(`{"type":"subscribe","channel":"one-too-many"}`)
	most.wantError("bad_request")
	over := openSocket(t, n.Addr, path+"&channel=y")
	if _, err := over.next(); err == nil {
		t.Error("65 channels in the URL are welcome")
	}
}

// TestSocketsRefusedAreBounded: those who stay on after a refusal do not take
// all files; the next one is refused by a status.
func TestSocketsRefusedAreBounded(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--jwt-secret", secret)
	for i := range 140 {
		s, a, err := trySocket(t, n.Addr, "/ws?access_token=x")
		switch {
		case err != nil:
			t.Fatal(err)
		case s == nil && i < 100:
			t.Fatalf("the %d. has status %d", i, a.status)
		case s == nil:
			wantError(t, a, 401, "unauthorized")
			return
		}
		defer s.close()
	}
	t.Error("140 refused connections are open")
}

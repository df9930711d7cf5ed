package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"runnel/auth"
	"runnel/streams"
	"runnel/worktest"
)

// TestAnswersLeaveRoomForOthers: however many users hold all they may, there is
// room for a page of one more; who holds too much waits, and those who wait get
// in when something is given back.
func TestAnswersLeaveRoomForOthers(t *testing.T) {
	a := newAnswers(nil)
	held := fillAnswers(t, a, 3)
	if a.free < answerRoom {
		t.Fatalf("after three greedy users %d bytes are free", a.free)
	}
	one, err := a.enter(t.Context(), "one more")
	if err != nil {
		t.Fatal(err)
	}
	one.shrink(100)
	entered := make(chan *room)
	go func() {
		r, err := a.enter(t.Context(), "0")
		if err != nil {
			t.Error(err)
		}
		entered <- r
	}()
	eventually(t, "the greedy one waits", func() bool { a.mu.Lock(); defer a.mu.Unlock(); return a.turns.Len() > 0 })
	for _, r := range held {
		r.leave()
		r.leave() // twice is once
	}
	(<-entered).leave()
	one.leave()
	nothingHeld(t, a)
}

// fillAnswers gives so many users all they may have.
func fillAnswers(t *testing.T, a *answers, users int) (held []*room) {
	t.Helper()
	now, cancel := context.WithCancel(t.Context())
	cancel()
	for user := range users {
		for {
			r, err := a.enter(now, fmt.Sprint(user))
			if err != nil {
				if !errors.Is(err, errNoRoom) {
					t.Fatal(err)
				}
				break
			}
			held = append(held, r)
		}
	}
	return held
}

func nothingHeld(t *testing.T, a *answers) {
	t.Helper()
	if a.free != answersRoom || len(a.users) != 0 || a.turns.Len() != 0 {
		t.Errorf("in the end %d bytes of %d are free, %d users hold some, %d wait", a.free, answersRoom, len(a.users), a.turns.Len())
	}
}

// full leaves no room for anybody.
func full(a *answers) *room {
	u := &answerUser{name: "full"}
	a.users[u.name] = u
	u.held, a.free = a.free, 0
	return &room{a, u, u.held}
}

// waiter asks for room of which there is none.
func waiter(t *testing.T, a *answers, name string) func() (*room, error) {
	t.Helper()
	held, u, place := a.ask(name)
	if held != nil {
		t.Fatalf("%s has room", name)
	}
	return func() (*room, error) { return a.stopWaiting(u, place, errNoRoom) }
}

// TestUsersTakeTurnsForRoom: whoever waits for many pages lets others go before
// the next, and who gave up keeps nobody waiting.
func TestUsersTakeTurnsForRoom(t *testing.T) {
	a := newAnswers(nil)
	all := full(a)
	given := []func() (*room, error){waiter(t, a, "ann"), waiter(t, a, "ann"), waiter(t, a, "ann"), waiter(t, a, "gone"), waiter(t, a, "bob"), waiter(t, a, "ann"), waiter(t, a, "cid")}
	if _, err := given[3](); !errors.Is(err, errNoRoom) {
		t.Fatal(err)
	}
	given[3] = nil
	names := []string{"ann", "ann", "ann", "", "bob", "ann", "cid"}
	var order []string
	for range 6 {
		all.shrink(all.held - answerRoom)
		for i, get := range given {
			if get == nil || a.users[names[i]].held == 0 {
				continue
			}
			r, err := get()
			if err != nil {
				t.Fatal(i, err)
			}
			order, given[i] = append(order, fmt.Sprint(names[i], i)), nil
			r.user.held, r.held = 0, 0 // as if it weighed nothing, and is not given back
			break
		}
	}
	if want := []string{"ann0", "bob4", "cid6", "ann1", "ann2", "ann5"}; !slices.Equal(order, want) {
		t.Errorf("the order is %v, want %v", order, want)
	}
}

// TestManyWaitForRoom: an event wakes all long-polls of a channel at once, and
// each of them wants a page. What that takes grows with their number alone.
func TestManyWaitForRoom(t *testing.T) {
	worktest.Linear(t, func(n int) string { return strings.Repeat("x", n) }, func(s string) {
		a := newAnswers(nil)
		all := full(a)
		var waiting []func() (*room, error)
		for i := range len(s) / 64 {
			waiting = append(waiting, waiter(t, a, fmt.Sprint("user ", i)))
		}
		all.leave()
		var under []*room
		for _, get := range waiting {
			if len(under) > 0 {
				under[0].leave()
				under = under[1:]
			}
			r, err := get()
			if err != nil {
				t.Fatal(err)
			}
			r.shrink(1000)
			under = append(under, r)
		}
	})
}

// TestNobodyWaitsForRoomInVain: not while the node drains, and not for a peer
// that has gone.
func TestNobodyWaitsForRoomInVain(t *testing.T) {
	draining := make(chan struct{})
	a := newAnswers(draining)
	all := full(a)
	close(draining)
	if _, err := a.enter(t.Context(), "ann"); !errors.Is(err, errDraining) {
		t.Errorf("while the node drains: %v", err)
	}
	all.leave()
	nothingHeld(t, a)

	n := startNode(t, demo)
	n.openSocket(t, "/ws")
	f := n.onlyFeed(t)
	ctx, done := f.context(time.Hour)
	defer done()
	if ctx.Err() != nil {
		t.Error("the peer is there")
	}
	f.end()
	if ctx.Err() == nil {
		t.Error("the peer has gone, and the answer is still waited for")
	}
	ctx, done = f.context(time.Hour)
	defer done()
	if ctx.Err() == nil {
		t.Error("an answer is begun for a peer that has gone")
	}
}

// TestPagesAreMeasuredEncoded: a page ends after a megabyte as it is sent, which
// can be six times what its events take, over one channel or several, forward
// or backward, and always has an event.
func TestPagesAreMeasuredEncoded(t *testing.T) {
	n := startNode(t, demo)
	for _, channel := range []string{"a", "b", "c"} {
		for i := range 12 {
			data := fmt.Append([]byte(strings.Repeat("\x01", 60<<10)), i)
			if _, err := n.broker.Publish(t.Context(), channel, streams.Draft{Data: data, Text: true}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, path := range map[string]string{
		"forward": "/channels/a/events?last_event_id=earliest", "newest": "/channels/a/events",
		"several": "/events?channel=a&channel=b&channel=c&last_event_id=earliest",
	} {
		r := n.send(request{method: "GET", path: path + sep(path) + "limit=1000"})
		if len(r.body) > maxPageBytes+pageOverhead || len(r.body) < maxPageBytes/2 {
			t.Errorf("%s: the page has %d bytes", name, len(r.body))
		}
		if !strings.Contains(r.body, `"more":true`) {
			t.Errorf("%s: there is no more", name)
		}
	}
	// Pages of a channel, one after the other, have all of it once.
	seen, position := 0, "earliest"
	for more := true; more; {
		r := n.send(request{method: "GET", path: "/channels/a/events?last_event_id=" + position})
		var page struct {
			Events      []struct{ ID, Text string }
			LastEventID string `json:"last_event_id"`
			More        bool
		}
		if err := json.Unmarshal([]byte(r.body), &page); err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			if want := fmt.Sprint("\x01", seen); !strings.HasSuffix(e.Text, want) {
				t.Fatalf("event %d ends with %q", seen, e.Text[len(e.Text)-3:])
			}
			seen++
		}
		if position, more = page.LastEventID, page.More; len(page.Events) == 0 {
			break
		}
	}
	if seen != 12 {
		t.Errorf("the pages have %d events", seen)
	}
}

func sep(path string) string {
	if strings.Contains(path, "?") {
		return "&"
	}
	return "?"
}

// TestEnvelopeSize: what is counted is what is written, or a little more.
func TestEnvelopeSize(t *testing.T) {
	for _, e := range []*streams.Event{
		{ID: testID, Data: []byte(`{"a":1}`)}, {Data: []byte(`1`), Type: "typing", From: "ann"},
		{ID: testID, Text: true, Data: []byte("\x01\x02\"\\\n\tü\u2028"), Type: "\"", From: strings.Repeat("\x02", 100)},
	} {
		got, most := len(appendEnvelope(nil, e, "a-channel")), envelopeSize(e, "a-channel")
		if got > most || got+200 < most {
			t.Errorf("%d bytes are counted for %d", most, got)
		}
	}
}

// TestOneAnswerUnderWay: a peer that asks for page after page and reads none has
// one held for it, and is closed when it does not take that in time.
func TestOneAnswerUnderWay(t *testing.T) {
	n := startNode(t, demo, func(c *Config, _ *auth.Config) {
		c.Limits = DefaultLimits()
		c.Limits.AnswerWait = 500 * time.Millisecond
	})
	for range 60 {
		if _, err := n.broker.Publish(t.Context(), "a", streams.Draft{Data: []byte(strings.Repeat("x", 60<<10)), Text: true}); err != nil {
			t.Fatal(err)
		}
	}
	s := n.openSocket(t, "/ws")
	s.(*net.TCPConn).SetReadBuffer(16 << 10)
	f := n.onlyFeed(t)
	for range 20 {
		io.WriteString(s, maskedText(`{"type":"history","channel":"a","limit":1000}`))
	}
	most := 0
	eventually(t, "the feed is closing", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		most = max(most, f.queued-f.gone)
		return f.closing
	})
	if most == 0 || most > 2*maxPageBytes {
		t.Errorf("%d bytes were held", most)
	}
	eventually(t, "nothing is held", func() bool {
		n.answers.mu.Lock()
		defer n.answers.mu.Unlock()
		return n.answers.free == answersRoom
	})
}

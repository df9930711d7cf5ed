package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

// record collects what a subscription calls back as lines of text, and ends
// the subscription after a number of events.
type record struct {
	lines []string
	left  int
}

var errDone = errors.New("seen enough")

func (r *record) handler() Handler {
	return Handler{
		Event: func(e Event) error {
			r.lines = append(r.lines, fmt.Sprintf("%s %s %s %q text=%v from=%s at=%s", e.Channel, e.ID, e.Type, e.Data, e.Text, e.From, e.Position))
			if r.left--; r.left == 0 {
				return errDone
			}
			return nil
		},
		Gap: func(g Gap) error {
			r.lines = append(r.lines, fmt.Sprintf("gap %s %s missed=%d at=%s", g.Channel, g.Reason, *g.Missed, g.Position))
			return nil
		},
	}
}

func (r *record) want(t *testing.T, err error, lines ...string) {
	t.Helper()
	if !errors.Is(err, errDone) {
		t.Errorf("ended with %v", err)
	}
	if !reflect.DeepEqual(r.lines, lines) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(r.lines, "\n\t"), strings.Join(lines, "\n\t"))
	}
}

func wantLast(t *testing.T, h *hub, i int, id string) {
	t.Helper()
	if got := h.request(i).Header.Get("Last-Event-ID"); got != id {
		t.Errorf("request %d resumes from %q, want %q", i, got, id)
	}
}

func TestOneChannel(t *testing.T) {
	h := newHub(t, holds(welcome("1000-0")+
		"data: {\"a\":1}\nid: 1000-1\n\n"+
		"event: note\ndata: two\ndata:  lines\nid: 1001-2\n\n"+
		": a comment\n\n"+
		"event: runnel.heartbeat\ndata: {\"time\":1}\n\n"+
		"event: typing\ndata: true\n\n"+
		"event: runnel.position\ndata: {\"channel\":\"orders\",\"last_event_id\":\"1002-3\"}\nid: 1002-3\n\n"+
		"event: runnel.gap\ndata: {\"channel\":\"orders\",\"after\":\"1002-3\",\"last_event_id\":\"1003-7\",\"resumed_at\":null,\"missed\":4,\"reason\":\"trimmed\"}\nid: 1003-7\n\n"+
		"event: runnel.later\ndata: {}\n\n"+
		"data: last\nid: 1004-8\n\n"))
	r := record{left: 4}
	err := h.client(t, Options{Token: "secret"}).Subscribe(deadline(t), []string{"orders"}, Start{Since: "10m"}, r.handler())
	r.want(t, err,
		`orders 1000-1  "{\"a\":1}" text=false from= at=1000-1`,
		`orders 1001-2 note "two\n lines" text=true from= at=1001-2`,
		`orders  typing "true" text=false from= at=1001-2`,
		`gap orders trimmed missed=4 at=1003-7`,
		`orders 1004-8  "last" text=true from= at=1004-8`,
	)
	q := h.request(0)
	if q.URL.String() != "/channels/orders/events?since=10m" || q.Header.Get("Authorization") != "Bearer secret" || q.Header.Get("Accept") != "text/event-stream" {
		t.Errorf("asked %s with %v", q.URL, q.Header)
	}
}

func TestSeveralChannels(t *testing.T) {
	h := newHub(t, sends(welcome("cursor0")+
		`data: {"type":"event","channel":"a","id":"1000-1","event":"message","data":{"x":  1.0},"from":"ann","time":"1970-01-01T00:00:01.000Z"}`+"\nid: cursor1\n\n"+
		`data: {"type":"event","channel":"b","id":null,"event":"typing","text":"t"}`+"\n\n"),
		holds(welcome("cursor1")+
			`data: {"type":"event","channel":"b","id":"2000-1","event":"message","data":null}`+"\nid: cursor2\n\n"))
	r := record{left: 3}
	err := h.client(t, Options{}).Subscribe(deadline(t), []string{"a", "b"}, Start{LastEventID: "earliest"}, r.handler())
	r.want(t, err,
		`a 1000-1  "{\"x\":  1.0}" text=false from=ann at=cursor1`,
		`b  typing "t" text=true from= at=cursor1`,
		`b 2000-1  "null" text=false from= at=cursor2`,
	)
	if u := h.request(0).URL.String(); u != "/events?channel=a&channel=b&last_event_id=earliest" {
		t.Errorf("began with %s", u)
	}
	if u := h.request(1).URL.String(); u != "/events?channel=a&channel=b" {
		t.Errorf("went on with %s", u)
	}
	wantLast(t, h, 1, "cursor1")
}

// A client that saw no event resumes from the welcome, over every way that a
// connection can end.
func TestResume(t *testing.T) {
	part := "data: {\"trunc\":\"aaa"
	h := newHub(t,
		sends(welcome("1000-0")),
		cuts(welcome("1000-0")+"data: 1\nid: 1000-1\n\n"+part, true),
		cuts(welcome("1000-1")+"id: 1000-2\n"+part, false),
		saysError(http.StatusServiceUnavailable, "unavailable"),
		says(http.StatusBadGateway, "<html>"),
		sends("retry: 5\nevent: runnel.error\ndata: {\"error\":{\"code\":\"unavailable\",\"message\":\"draining\"}}\nid: 1000-1\n\n"),
		sends(""),
		holds(welcome("1000-1")+"retry: 4\nevent: runnel.draining\ndata: {\"retry\":4}\n\n"),
		holds(welcome("1000-1")+"data: 2\nid: 1000-2\n\n"),
	)
	r := record{left: 2}
	var causes []string
	handler := r.handler()
	handler.State = func(s State) {
		if s.Cause != nil {
			causes = append(causes, s.Cause.Error())
		}
	}
	err := h.client(t, Options{}).Subscribe(deadline(t), []string{"c"}, Start{}, handler)
	r.want(t, err,
		`c 1000-1  "1" text=false from= at=1000-1`,
		`c 1000-2  "2" text=false from= at=1000-2`,
	)
	wantLast(t, h, 0, "")
	wantLast(t, h, 1, "1000-0")
	for i := 2; i < 9; i++ {
		wantLast(t, h, i, "1000-1")
	}
	for i, want := range map[int]string{0: "the hub ended the feed", 2: "the connection was cut", 3: "unavailable: as it is", 5: "unavailable: draining", 7: "the node is draining"} {
		if len(causes) != 8 || causes[i] != want {
			t.Errorf("cause %d of %q is not %q", i, causes, want)
		}
	}
}

// causesOf subscribes until so many connections have failed, and says why each did.
func causesOf(t *testing.T, c *Client, n int, failed func()) (causes []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(deadline(t))
	defer cancel()
	err := c.Subscribe(ctx, []string{"c"}, Start{}, Handler{
		Event: func(Event) error { return nil },
		State: func(s State) {
			if s.Cause == nil {
				return
			}
			failed()
			if causes = append(causes, s.Cause.Error()); len(causes) == n {
				cancel()
			}
		},
	})
	if !errors.Is(err, context.Canceled) || len(causes) < n {
		t.Fatalf("%v after %q", err, causes)
	}
	return causes
}

// The first connection that fails says what to look at; a later one, that the
// hub has gone.
func TestUnreachableSaysSo(t *testing.T) {
	h := newHub(t, sends(welcome("1000-0")))
	causes := causesOf(t, h.client(t, Options{}), 2, h.Server.Close)
	if want := "cannot reach " + h.URL + " (connection refused)"; !strings.HasPrefix(causes[1], want) {
		t.Errorf("a hub that went: %s", causes[1])
	}
	causes = causesOf(t, h.client(t, Options{}), 1, func() {})
	if want := "cannot reach " + h.URL + "; is the hub running? (connection refused)"; !strings.HasPrefix(causes[0], want) {
		t.Errorf("no hub: %s", causes[0])
	}
}

// What a handler refused to take is what the next subscription begins with.
func TestReachedAfterReturn(t *testing.T) {
	h := newHub(t, holds(welcome("1-0")+"data: 1\nid: 1-1\n\ndata: 2\nid: 2-2\n\ndata: 3\nid: 3-3\n\n"))
	c := h.client(t, Options{})
	var position string
	calls := 0
	err := c.Subscribe(deadline(t), []string{"c"}, Start{}, Handler{Event: func(e Event) error {
		calls++
		if string(e.Data) == "2" {
			return errDone
		}
		position = e.Position
		return nil
	}})
	if !errors.Is(err, errDone) || position != "1-1" || calls != 2 {
		t.Errorf("%v, position %s after %d calls", err, position, calls)
	}
}

func TestFinalAnswers(t *testing.T) {
	for status, want := range map[int]error{
		400: ErrBadRequest, 401: ErrUnauthorized, 403: ErrForbidden, 404: ErrNotFound,
	} {
		h := newHub(t, saysError(status, want.(*Error).Code))
		err := h.client(t, Options{Token: "x"}).Subscribe(deadline(t), []string{"c"}, Start{}, (&record{}).handler())
		var e *Error
		if !errors.Is(err, want) || !errors.As(err, &e) || e.Status != status || e.RequestID != "r1" || h.requests() != 1 {
			t.Errorf("%d: %v after %d requests", status, err, h.requests())
		}
	}
	h := newHub(t, says(200, "<html>", "Content-Type", "text/html"))
	err := h.client(t, Options{}).Subscribe(deadline(t), []string{"c"}, Start{}, (&record{}).handler())
	if err == nil || !strings.Contains(err.Error(), "text/html") {
		t.Errorf("a web page: %v", err)
	}
}

func TestNewTokenOnce(t *testing.T) {
	given := 0
	fetch := func(context.Context) (string, error) {
		given++
		return fmt.Sprint("token", given), nil
	}
	refusal := saysError(http.StatusUnauthorized, "unauthorized")
	h := newHub(t, refusal,
		sends(welcome("1-0")+"event: runnel.expiring\ndata: {}\n\n"),
		sends(welcome("1-0")),
		refusal, refusal)
	err := h.client(t, Options{TokenFunc: fetch}).Subscribe(deadline(t), []string{"c"}, Start{}, (&record{}).handler())
	if !errors.Is(err, ErrUnauthorized) || h.requests() != 5 {
		t.Fatalf("%v after %d requests", err, h.requests())
	}
	for i, want := range []string{"token1", "token2", "token3", "token3", "token4"} {
		if got := h.request(i).Header.Get("Authorization"); got != "Bearer "+want {
			t.Errorf("request %d with %s, want %s", i, got, want)
		}
	}
}

func TestWatchdog(t *testing.T) {
	silent := strings.Replace(welcome("1-0"), `"heartbeat":25`, `"heartbeat":0.02`, 1)
	h := newHub(t, holds(silent), holds(welcome("1-0")+"data: 1\nid: 1-1\n\n"))
	r := record{left: 1}
	handler := r.handler()
	var cause error
	handler.State = func(s State) {
		if s.Cause != nil {
			cause = s.Cause
		}
	}
	err := h.client(t, Options{}).Subscribe(deadline(t), []string{"c"}, Start{}, handler)
	if !errors.Is(err, errDone) || !errors.Is(cause, errSilent) {
		t.Errorf("%v, after %v", err, cause)
	}
}

// A handler that takes longer than the hub may be silent is no silent hub.
func TestSlowHandler(t *testing.T) {
	brief := strings.Replace(welcome("1-0"), `"heartbeat":25`, `"heartbeat":0.02`, 1)
	h := newHub(t, holds(brief+"data: 1\nid: 1-1\n\ndata: 2\nid: 2-2\n\n"))
	err := h.client(t, Options{}).Subscribe(deadline(t), []string{"c"}, Start{}, Handler{Event: func(e Event) error {
		if e.ID == "2-2" {
			return errDone
		}
		pause, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		<-pause.Done()
		return nil
	}})
	// The reader waits on while the handler does; what it had read still counts.
	if !errors.Is(err, errDone) {
		t.Errorf("ended with %v after %d requests", err, h.requests())
	}
}

func TestContextEndsReconnecting(t *testing.T) {
	h := newHub(t, saysError(http.StatusServiceUnavailable, "unavailable", "Retry-After", "3600"))
	c := h.client(t, Options{})
	c.times.longest = time.Hour
	ctx, cancel := context.WithCancel(deadline(t))
	err := c.Subscribe(ctx, []string{"c"}, Start{}, Handler{
		Event: func(Event) error { return nil },
		State: func(s State) {
			if s.Retry >= time.Hour {
				cancel()
			}
		},
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestLargestEvent(t *testing.T) {
	lines := strings.Repeat("data: \n", 4<<10) + "data: \n" // 4,096 line feeds
	h := newHub(t, holds(welcome("1-0")+lines+"id: 1-1\n\n"+"data: "+strings.Repeat("x", 1<<20)+"\nid: 2-2\n\n"))
	var got int
	err := h.client(t, Options{MaxEvent: 4 << 10}).Subscribe(deadline(t), []string{"c"}, Start{}, Handler{Event: func(e Event) error {
		got = len(e.Data)
		return nil
	}})
	if !errors.Is(err, ErrTooLarge) || got != 4<<10 {
		t.Errorf("%v after an event of %d bytes", err, got)
	}
}

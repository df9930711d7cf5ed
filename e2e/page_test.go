package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// numbers are "1" … as data, and an array of batch items that publish them.
func numbers(channel string, from, to int) (data []string, batch string) {
	var items []string
	for i := from; i <= to; i++ {
		data = append(data, fmt.Sprint(i))
		items = append(items, fmt.Sprintf(`{"channel":%q,"data":%d}`, channel, i))
	}
	return data, "[" + strings.Join(items, ",") + "]"
}

// publishNumbers publishes from..to with one batch.
func (n *node) publishNumbers(channel string, from, to int) []string {
	n.t.Helper()
	data, batch := numbers(channel, from, to)
	if a := call(n.t, "POST", n.URL+"/events", batch, asJSON); a.status != 200 || strings.Contains(string(a.body), "error") {
		n.t.Fatalf("status %d: %s", a.status, a.body)
	}
	return data
}

// TestPages walks through a history in both directions.
func TestPages(t *testing.T) {
	t.Parallel()
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testPages(t, startNode(t, store...))
		})
	}
}

func testPages(t *testing.T, n *node) {
	empty := n.history("c", "")
	if len(empty.Events) != 0 || !strings.HasSuffix(empty.LastEventID, "-0") || empty.More || empty.Gap != nil {
		t.Errorf("the empty channel's page is %+v", empty)
	}
	all := n.publishNumbers("c", 1, 250)
	if p := n.history("c", ""); !slices.Equal(payloads(p.Events), all[150:]) || !p.More {
		t.Errorf("without a start come %q, more: %v", payloads(p.Events), p.More)
	}
	var forward []string
	position := empty.LastEventID
	for {
		p := n.history("c", "?limit=60&last_event_id="+position)
		forward = append(forward, payloads(p.Events)...)
		if last := p.Events[len(p.Events)-1].ID; p.LastEventID != last {
			t.Errorf("the page's position is %s, its last event %s", p.LastEventID, last)
		}
		if position = p.LastEventID; !p.More {
			break
		}
	}
	if !slices.Equal(forward, all) {
		t.Errorf("forward come %q", forward)
	}
	var backward []string
	before := ""
	for range 10 {
		p := n.history("c", "?limit=60"+before)
		backward = append(payloads(p.Events), backward...)
		if !p.More {
			break
		}
		before = "&before=" + p.Events[0].ID
	}
	if !slices.Equal(backward, all) {
		t.Errorf("backward come %q", backward)
	}
	if p := n.history("c", "?last_event_id="+position); len(p.Events) != 0 || p.LastEventID != position || p.More {
		t.Errorf("at the end the page is %+v", p)
	}
	for _, query := range []string{"limit=0", "limit=1001", "limit=x", "limit=-1", "before=x", "before=earliest", "wait=10", "wait=x", "wait=-1s"} {
		wantError(t, call(t, "GET", n.URL+events("c")+"?"+query, ""), 400, "bad_request")
	}
}

// TestBigPages: a page may end by its bytes, and says so.
func TestBigPages(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	big := strings.Repeat("x", 60<<10)
	for range 40 {
		n.publish("c", big)
	}
	a := call(t, "GET", n.URL+events("c")+"?limit=1000&last_event_id=earliest", "")
	if p := parse[page](t, a.body); !p.More || len(p.Events) == 0 || len(p.Events) >= 40 {
		t.Errorf("a page of %d events and %d bytes, more: %v", len(p.Events), len(a.body), p.More)
	}
	wantAll(t, n, "c", 40)
}

// TestLongPoll: nothing, until an event comes.
func TestLongPoll(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	began := time.Now()
	start := n.history("c", "?wait=25s")
	if len(start.Events) != 0 || start.LastEventID == "" || time.Since(began) > 20*time.Second {
		t.Errorf("without a start the answer is %+v after %v", start, time.Since(began))
	}
	began = time.Now()
	if p := n.history("c", "?wait=1s&last_event_id="+start.LastEventID); len(p.Events) != 0 || p.LastEventID != start.LastEventID || time.Since(began) < 900*time.Millisecond {
		t.Errorf("after %v the answer is %+v", time.Since(began), p)
	}
	poll := func(path string) (answered func() page) {
		answers := make(chan answer, 1)
		before := n.connections()
		go func() {
			a, _ := try("GET", n.URL+path, "")
			answers <- a
		}()
		within(t, "the poll waits", func() bool { return n.connections() > before })
		return func() page { return parse[page](t, (<-answers).body) }
	}
	answered := poll(events("c") + "?wait=25s&last_event_id=" + start.LastEventID)
	id := n.publish("c", "now")
	if p := answered(); !slices.Equal(payloads(p.Events), []string{"now"}) || p.LastEventID != id || p.Events[0].ID != id {
		t.Errorf("the answer is %+v", p)
	}
	answered = poll(events("c") + "?wait=25s&last_event_id=" + id)
	n.post("c", "?ephemeral=true&event=typing", "brief", asText)
	if p := answered(); !slices.Equal(payloads(p.Events), []string{"brief"}) || p.LastEventID != id || p.Events[0].ID != "" {
		t.Errorf("the answer is %+v", p)
	}

	both := n.page("/events?channel=c&channel=d&wait=25s")
	if len(both.Events) != 0 || both.LastEventID == "" || both.Gap != nil || both.Gaps == nil {
		t.Errorf("of two channels the answer is %+v", both)
	}
	answered = poll("/events?channel=c&channel=d&wait=25s&last_event_id=" + url.QueryEscape(both.LastEventID))
	n.publish("d", "of d")
	p := answered()
	if !slices.Equal(payloads(p.Events), []string{"of d"}) || p.Events[0].Channel != "d" {
		t.Errorf("of two channels the answer is %+v", p)
	}
	n.publish("c", "of c")
	f := n.subscribe("/events?channel=c&channel=d", "Last-Event-ID: "+p.LastEventID)
	if e := f.envelope(); e.payload() != "of c" {
		t.Errorf("a feed goes on with %+v", e)
	}
	p = n.page("/events?channel=c&channel=d&last_event_id=" + url.QueryEscape(both.LastEventID))
	if got := payloads(p.Events); len(got) != 2 {
		t.Errorf("both channels' page has %q", got)
	}
}

// connections is how many feeds and polls the node carries.
func (n *node) connections() int {
	n.t.Helper()
	return parse[struct{ Connections int }](n.t, call(n.t, "GET", n.URL+"/healthz", "").body).Connections
}

// TestPageEndsAtTheNewest: a page that is full and ends at the newest event has
// no more, on every store, of one channel and of several, over a WebSocket too.
func TestPageEndsAtTheNewest(t *testing.T) {
	t.Parallel()
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startNode(t, store...)
			n.publishNumbers("c", 1, 3)
			n.publishNumbers("d", 1, 2)
			s := openSocket(t, n.Addr, "/ws")
			s.want("welcome")
			for limit := 1; limit <= 6; limit++ {
				one := n.history("c", fmt.Sprintf("?last_event_id=earliest&limit=%d", limit))
				back := n.history("c", fmt.Sprintf("?limit=%d", limit))
				s.send(fmt.Sprintf(`{"type":"history","ref":1,"channel":"c","last_event_id":"earliest","limit":%d}`, limit))
				over := s.want("history")
				for way, more := range map[string]bool{"forward": one.More, "backward": back.More, "WebSocket": strings.Contains(over.raw, `"more":true`)} {
					if more != (limit < 3) {
						t.Errorf("%s, %d of 3 events: more %v", way, limit, more)
					}
				}
				both := n.page(fmt.Sprintf("/events?channel=c&channel=d&last_event_id=earliest&limit=%d", limit))
				if len(both.Events) != min(limit, 5) || both.More != (limit < 5) {
					t.Errorf("%d of 5 events of two channels: %d, more %v", limit, len(both.Events), both.More)
				}
			}
		})
	}
}

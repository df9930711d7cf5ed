package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"runnel/streams"
)

// startFeed starts a feed over the channels on an outlet of the test's.
func startFeed(t *testing.T, n *node, transport transport, out outlet, channels ...string) *feed {
	t.Helper()
	return startFeedAt(t, n, beginning{other: streams.Earliest()}, transport, out, channels...)
}

func startFeedAt(t *testing.T, n *node, at beginning, transport transport, out outlet, channels ...string) *feed {
	t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	r.Host, r.RemoteAddr = "localhost", "127.0.0.1:1"
	claims, err := n.authenticate(r)
	if err != nil {
		t.Fatal(err)
	}
	f := n.hub.newFeed(transport, claims, newConnectionID(""))
	f.outlet = out
	subs, err := n.subscribeAll(t.Context(), channels, at, f)
	if err != nil {
		t.Fatal(err)
	}
	f.carry(subs...)
	if many, ok := transport.(*sseMany); ok {
		for _, s := range subs {
			many.cursor.Set(s.Channel(), s.Position())
		}
	}
	n.start(f, nil)
	return f
}

// atGap is an outlet whose socket is full in the middle of the first gap, for as
// long as meanwhile takes.
type atGap struct {
	narrow
	meanwhile func()
	told      bool
}

func (o *atGap) tryWrite(b []byte) (int, error) {
	n := len(b)
	if at := bytes.Index(b, []byte("runnel.gap")); at >= 0 && !o.told {
		o.told = true
		n = at + 20
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.got.Write(b[:n])
	return n, nil
}

func (o *atGap) awaitWritable(f *feed) error {
	o.meanwhile()
	f.resume()
	return nil
}

// TestGapComesWithItsEvent: a socket that is full in the middle of a gap gets
// the event next that the gap names, though that is trimmed meanwhile. Who comes
// back from the gap, or goes on, gets each event once.
func TestGapComesWithItsEvent(t *testing.T) {
	n := startNode(t, demo)
	few := streams.Retention{Count: 3, Age: time.Hour}
	var ids []streams.ID
	publish := func(k int) {
		for range k {
			data := fmt.Appendf(nil, `{"n":%d}`, len(ids)+1)
			results, err := n.store.Append(t.Context(), "a", few, []streams.Draft{{Data: data}})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, results[0].ID)
		}
	}
	publish(50)
	meanwhile := func() {
		publish(50)
		for _, id := range ids[5:10] { // which takes the place of what was read for the feed
			s, err := n.broker.Subscribe(t.Context(), "a", streams.After(id), streams.NewSignal())
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "others to be served", func() bool { return s.Next(nil, 1).Gap != nil })
			s.Close()
		}
	}
	out := &atGap{narrow: *newNarrow(1), meanwhile: meanwhile}
	f := startFeedAt(t, n, beginning{position: ids[4]}, sse{}, out, "a")
	defer f.end()
	eventually(t, "the last event", func() bool { return strings.Contains(out.text(), `{"n":100}`) })
	at := ids[4]
	resumed := ""
	for _, block := range parseSSE(out.text()) {
		if resumed != "" && block.id != resumed {
			t.Fatalf("%s comes next, not %s", block.id, resumed)
		}
		resumed = ""
		var gap struct {
			After   string `json:"after"`
			Resumed string `json:"resumed_at"`
			Missed  int    `json:"missed"`
		}
		want := ids[at.N].String()
		if block.event == "runnel.gap" {
			if err := json.Unmarshal([]byte(block.data), &gap); err != nil || gap.After != at.String() {
				t.Fatalf("at %v: %s, %v", at, block.data, err)
			}
			resumed, want = gap.Resumed, ids[int(at.N)+gap.Missed-1].String()
		}
		if block.id != want {
			t.Fatalf("%s after %v, want %s", block.id, at, want)
		}
		var err error
		if at, err = streams.ParseID(block.id); err != nil {
			t.Fatal(err)
		}
	}
	if at != ids[99] || !out.told {
		t.Errorf("it ends at %v", at)
	}
}

func publishNumbers(t *testing.T, n *node, channel string, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		data := fmt.Appendf(nil, `{"n":%d,"pad":%q}`, i, strings.Repeat("x", i%300))
		if _, err := n.broker.Publish(t.Context(), channel, streams.Draft{Data: data}); err != nil {
			t.Fatal(err)
		}
	}
}

// numbers reads the blocks of a feed over several channels and returns each
// channel's numbers in the order they came. At every block it checks that the
// cursor stands, in each channel, right behind what came of it.
func numbers(t *testing.T, text string, channels []string) map[string][]int {
	t.Helper()
	came := map[string][]int{}
	for _, block := range parseSSE(text) {
		if block.event != "" && block.event != "message" {
			continue
		}
		var e struct {
			Channel string
			Data    struct{ N int }
		}
		if err := json.Unmarshal([]byte(block.data), &e); err != nil {
			t.Fatalf("%v in %q", err, block.data)
		}
		came[e.Channel] = append(came[e.Channel], e.Data.N)
		cursor, err := streams.ParseCursor(block.id)
		if err != nil {
			t.Fatalf("cursor %q: %v", block.id, err)
		}
		for _, c := range channels {
			if at, ok := cursor.Position(c); !ok || int(at.N) != len(came[c]) {
				t.Fatalf("the cursor stands at %v in %s, after %d events", at, c, len(came[c]))
			}
		}
	}
	return came
}

// TestDeliverThroughNarrowSockets: whatever the socket takes at a time, every
// event comes once and in order, and no cursor runs ahead of its feed.
func TestDeliverThroughNarrowSockets(t *testing.T) {
	channels := []string{"a", "b", "c"}
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			n := startNode(t, demo)
			out := newNarrow(seed)
			publishNumbers(t, n, "a", 0, 100)
			chunks := seed%2 == 1
			f := startFeed(t, n, &sseMany{sse: sse{chunks: chunks}}, out.of(seed%4 == 3), channels...)
			defer f.end()
			var publishing sync.WaitGroup
			for _, c := range channels {
				from := 0
				if c == "a" {
					from = 100
				}
				publishing.Go(func() { publishNumbers(t, n, c, from, 300) })
			}
			publishing.Wait()
			eventually(t, "900 events", func() bool { return strings.Count(out.text(), "\nid: ") == 900 })
			eventually(t, "all of them count", func() bool { return n.hub.delivered() == 900 })
			text := out.text()
			if chunks {
				text, _ = unchunked(t, text)
			}
			for c, got := range numbers(t, text, channels) {
				for i, v := range got {
					if v != i {
						t.Fatalf("%s: event %d came as number %d", c, v, i)
					}
				}
			}
		})
	}
}

// TestDeliverKeepsFramesWhole: control frames, answers and events of a
// WebSocket stand behind each other whole, whoever queued them.
func TestDeliverKeepsFramesWhole(t *testing.T) {
	n := startNode(t, demo)
	out := newNarrow(5)
	f := startFeed(t, n, ws{}, out, "a")
	defer f.end()
	var busy sync.WaitGroup
	busy.Go(func() { publishNumbers(t, n, "a", 0, 500) })
	busy.Go(func() {
		for range 200 {
			f.offer(ws{}.ping(nil))
		}
	})
	busy.Go(func() {
		for i := range 200 {
			f.send(frame("pong", json.RawMessage(fmt.Sprint(i)), nil))
		}
	})
	busy.Wait()
	f.send(frame("pong", json.RawMessage("200"), nil)) // behind all other frames of the hub's own
	eventually(t, "all frames", func() bool {
		return strings.Count(out.text(), `"n":`) == 500 && strings.Contains(out.text(), `"ref":200}`)
	})
	events, pings, pongs := 0, 0, 0
	for b := []byte(out.text()); len(b) > 0; {
		opcode, payload, rest := cutFrame(t, b)
		switch b = rest; {
		case opcode == opPing:
			pings++
		case bytes.Contains(payload, []byte(`"pong"`)):
			if want := fmt.Sprintf(`{"type":"pong","ref":%d}`, pongs); string(payload) != want {
				t.Fatalf("%s, not %s", payload, want)
			}
			pongs++
		default:
			if want := fmt.Sprintf(`"n":%d,`, events); !bytes.Contains(payload, []byte(want)) {
				t.Fatalf("%s lacks %s", payload, want)
			}
			events++
		}
	}
	if events != 500 || pings != 200 || pongs != 201 {
		t.Fatalf("%d events, %d pings, %d pongs", events, pings, pongs)
	}
}

// TestDeliveriesOfSlowReadersCount: an event that a full socket took later, of
// feeds that are delivered to together or each alone, counts once.
func TestDeliveriesOfSlowReadersCount(t *testing.T) {
	n := startNode(t, demo)
	var feeds []*narrow
	for i := range uint64(12) {
		out := newNarrow(i)
		f := startFeed(t, n, []transport{sse{}, sse{chunks: true}, ws{}}[i%3], out.of(i%4 == 3), "a")
		defer f.end()
		feeds = append(feeds, out)
	}
	publishNumbers(t, n, "a", 0, 300)
	for _, out := range feeds {
		eventually(t, "300 events", func() bool { return strings.Contains(out.text(), `{"n":299,`) })
	}
	eventually(t, "12 times 300 deliveries", func() bool { return n.hub.delivered() >= 12*300 })
	publishNumbers(t, n, "a", 300, 301)
	eventually(t, "12 more", func() bool { return n.hub.delivered() >= 12*301 })
	if got := n.hub.delivered(); got != 12*301 {
		t.Errorf("%d deliveries count, of %d", got, 12*301)
	}
}

func cutFrame(t *testing.T, b []byte) (opcode byte, payload, rest []byte) {
	t.Helper()
	if len(b) < 2 || len(b) < frameHeaderSize(b) {
		t.Fatalf("half a frame: %x", b)
	}
	head := frameHeaderSize(b)
	size := int(b[1])
	if head == 4 {
		size = int(b[2])<<8 | int(b[3])
	}
	if b[0]&0x80 == 0 || b[0]&0x70 != 0 || head == 10 || len(b) < head+size {
		t.Fatalf("no whole frame: %x", b[:min(len(b), 20)])
	}
	return b[0] & 0x0f, b[head : head+size], b[head+size:]
}

// broken takes some bytes and fails.
type broken struct {
	narrow
	takes int
}

func (o *broken) tryWrite(b []byte) (int, error) {
	return min(o.takes, len(b)), errors.New("reset by peer")
}

// TestDeliverEndsBrokenFeeds: a feed whose socket fails is gone, with its
// subscriptions, be it at once or in the middle of an event.
func TestDeliverEndsBrokenFeeds(t *testing.T) {
	n := startNode(t, demo)
	for _, takes := range []int{0, 5} {
		out := &broken{narrow{closed: make(chan struct{})}, takes}
		startFeed(t, n, sse{}, out, "a")
		publishNumbers(t, n, "a", 0, 1)
		select {
		case <-out.closed:
		case <-time.After(patience):
			t.Fatal("not closed")
		}
		eventually(t, "no subscription left", func() bool { return n.broker.Stats().Subscriptions == 0 })
		if wrote := n.hub.delivered(); wrote != 0 {
			t.Errorf("%d events count as delivered", wrote)
		}
	}
}

// TestQuietChannelGetsItsTurn: a channel with more than a write can hold does
// not keep the event of another one until it has caught up.
func TestQuietChannelGetsItsTurn(t *testing.T) {
	n := startNode(t, demo)
	for _, c := range []string{"busy", "quiet"} { // so that the tails hold all of it, and nothing has to be read
		s, err := n.broker.Subscribe(t.Context(), c, streams.Now(), streams.NewSignal())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
	}
	big := strings.Repeat("y", 8<<10)
	for range 100 {
		if _, err := n.broker.Publish(t.Context(), "busy", streams.Draft{Text: true, Data: []byte(big)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.broker.Publish(t.Context(), "quiet", streams.Draft{Data: []byte(`"hush"`)}); err != nil {
		t.Fatal(err)
	}
	out := newNarrow(1)
	f := startFeed(t, n, &sseMany{}, patient{out}, "busy", "quiet")
	defer f.end()
	eventually(t, "all events", func() bool { return strings.Count(out.text(), "data: ") == 101 })
	before := out.text()[:strings.Index(out.text(), "hush")]
	if held := strings.Count(before, "data: "); held > 20 {
		t.Errorf("%d events of the busy channel came first", held)
	}
}

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// appends takes single publishes as a hub does: by key, once each.
type appends struct {
	mu    sync.Mutex
	keys  map[string]string
	order []string
}

func (a *appends) add(key, data string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keys == nil {
		a.keys = map[string]string{}
	}
	if id, ok := a.keys[key]; ok {
		return id
	}
	id := fmt.Sprintf("1000-%d", len(a.order)+1)
	a.keys[key] = id
	a.order = append(a.order, data)
	return id
}

func (a *appends) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	id := a.add(r.Header.Get("Idempotency-Key"), string(body))
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"id":%q,"channel":"c"}`, id)
}

// takeAndCut appends, and loses the answer.
func (a *appends) takeAndCut(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	a.add(r.Header.Get("Idempotency-Key"), string(body))
	cuts("", true)(w, r)
}

func (a *appends) takeAndDoubt(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	a.add(r.Header.Get("Idempotency-Key"), string(body))
	saysError(http.StatusGatewayTimeout, "unknown_outcome")(w, r)
}

func TestPublish(t *testing.T) {
	var a appends
	h := newHub(t, a.take)
	id, err := h.client(t, Options{Token: "k"}).Publish(deadline(t), "chat:1~", Event{Type: "note", Data: []byte("héllo"), Text: true, Key: "mine", Exclude: "c9"})
	if err != nil || id != "1000-1" {
		t.Fatalf("%q, %v", id, err)
	}
	r := h.request(0)
	if r.URL.String() != "/channels/chat:1~/events?event=note&exclude=c9" || r.Header.Get("Idempotency-Key") != "mine" ||
		r.Header.Get("Content-Type") != "text/plain; charset=utf-8" || r.Header.Get("Authorization") != "Bearer k" {
		t.Errorf("sent %s with %v", r.URL, r.Header)
	}
	h = newHub(t, says(http.StatusAccepted, `{"id":null,"channel":"c"}`))
	id, err = h.client(t, Options{}).Publish(deadline(t), "c", Event{Data: []byte("1"), Ephemeral: true})
	if err != nil || id != "" || h.request(0).URL.RawQuery != "ephemeral=true" {
		t.Errorf("ephemeral: %q, %v", id, err)
	}
}

// Whatever fails in passing, the event is appended once, and what follows
// comes after it.
func TestPublishOnce(t *testing.T) {
	var a appends
	h := newHub(t,
		saysError(503, "unavailable", "Retry-After", "0"), a.takeAndCut, a.takeAndDoubt, says(502, "<html>"),
		saysError(429, "rate_limited"), cuts("", false), a.take)
	c := h.client(t, Options{})
	for i := range 3 {
		id, err := c.Publish(deadline(t), "c", Event{Data: fmt.Append(nil, i)})
		if err != nil || id != fmt.Sprintf("1000-%d", i+1) {
			t.Fatalf("event %d: %q, %v", i, id, err)
		}
	}
	if got := strings.Join(a.order, ""); got != "012" {
		t.Errorf("appended %s", got)
	}
	if h.requests() != 9 {
		t.Errorf("%d requests", h.requests())
	}
}

func TestPublishFinalAnswers(t *testing.T) {
	for status, want := range map[int]error{400: ErrBadRequest, 401: ErrUnauthorized, 403: ErrForbidden,
		409: ErrConflict, 413: ErrTooLarge, 415: ErrUnsupportedType, 422: ErrInvalidData} {
		h := newHub(t, saysError(status, want.(*Error).Code))
		if _, err := h.client(t, Options{}).Publish(deadline(t), "c", Event{Data: []byte("1")}); !errors.Is(err, want) || h.requests() != 1 {
			t.Errorf("%d: %v after %d requests", status, err, h.requests())
		}
	}
	h := newHub(t, says(302, "", "Location", "https://login.example/"))
	if _, err := h.client(t, Options{}).Publish(deadline(t), "c", Event{Data: []byte("1")}); err == nil || !strings.Contains(err.Error(), "login.example") {
		t.Errorf("a redirect: %v", err)
	}
}

// Once it is in doubt whether the event was appended, attempts end with the
// life of the key, though the last answer alone would allow another.
func TestPublishUnknownOutcome(t *testing.T) {
	h := newHub(t, saysError(504, "unknown_outcome"), saysError(503, "unavailable"))
	c := h.client(t, Options{})
	c.times.keyLife = 50 * time.Millisecond
	_, err := c.Publish(deadline(t), "c", Event{Data: []byte("1")})
	if !errors.Is(err, ErrUnknownOutcome) || !errors.Is(err, ErrUnavailable) || h.requests() < 2 {
		t.Errorf("%v after %d requests", err, h.requests())
	}
}

func TestPublishEndsWithContext(t *testing.T) {
	h := newHub(t, saysError(503, "unavailable", "Retry-After", "3600"))
	c := h.client(t, Options{})
	c.times.longest = time.Hour
	ctx, cancel := context.WithTimeout(deadline(t), 200*time.Millisecond)
	defer cancel()
	_, err := c.Publish(ctx, "c", Event{Data: []byte("1")})
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnknownOutcome) {
		t.Errorf("ended with %v", err)
	}
}

func TestPublishNewToken(t *testing.T) {
	var a appends
	h := newHub(t, saysError(401, "unauthorized"), a.take)
	given := 0
	c := h.client(t, Options{TokenFunc: func(context.Context) (string, error) {
		if given++; given == 2 {
			return "", errors.New("the login is away")
		}
		return fmt.Sprint("token", given), nil
	}})
	if _, err := c.Publish(deadline(t), "c", Event{Data: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	if first, second := h.request(0).Header.Get("Authorization"), h.request(1).Header.Get("Authorization"); first != "Bearer token1" || second != "Bearer token3" {
		t.Errorf("%s, then %s", first, second)
	}
}

type wireItem struct {
	Channel, Event, Text string
	Data                 json.RawMessage
	Key                  string `json:"idempotency_key"`
}

func readItems(r *http.Request) (items []wireItem) {
	if err := json.NewDecoder(r.Body).Decode(&items); err != nil {
		panic(err)
	}
	return items
}

// takeBatch refuses the data "bad", and lets every other batch fail halfway
// through, one item of it in doubt.
func (a *appends) takeBatch(w http.ResponseWriter, r *http.Request) {
	var out []string
	broken := len(a.order)%2 == 1
	for i, item := range readItems(r) {
		data := item.Text + string(item.Data)
		switch {
		case data == "bad":
			out = append(out, `{"error":{"code":"invalid_data","message":"no"}}`)
		case broken && i > 2:
			out = append(out, `{"error":{"code":"unavailable","message":"away"}}`)
		case broken && i == 2:
			a.add(item.Key, data)
			out = append(out, `{"error":{"code":"unknown_outcome","message":"?"}}`)
		default:
			out = append(out, fmt.Sprintf(`{"id":%q}`, a.add(item.Key, data)))
		}
	}
	fmt.Fprintf(w, "[%s]", strings.Join(out, ","))
}

func TestPublishBatch(t *testing.T) {
	var a appends
	h := newHub(t, saysError(503, "unavailable"), a.takeBatch)
	events := []Event{{Channel: "c", Data: []byte("\xff"), Text: true}, {Channel: "c", Data: []byte("{")}}
	want := ""
	for i := range 2500 {
		events = append(events, Event{Channel: "c", Data: fmt.Append(nil, i)})
		want += fmt.Sprint(i)
	}
	events = append(events, Event{Channel: "c", Data: []byte("bad"), Text: true})
	results, err := h.client(t, Options{}).PublishBatch(deadline(t), events)
	if err != nil || len(results) != len(events) {
		t.Fatal(len(results), err)
	}
	for i, r := range results {
		switch {
		case i < 2 && !errors.Is(r.Err, ErrBadRequest),
			i == len(events)-1 && !errors.Is(r.Err, ErrInvalidData),
			i >= 2 && i < len(events)-1 && r.ID != fmt.Sprintf("1000-%d", i-1):
			t.Fatalf("result %d: %+v", i, r)
		}
	}
	if got := strings.Join(a.order, ""); got != want {
		t.Errorf("appended %d events, out of order or more than once", len(a.order))
	}
}

func TestPublishBatchBounds(t *testing.T) {
	var sizes []int64
	h := newHub(t, func(w http.ResponseWriter, r *http.Request) {
		sizes = append(sizes, r.ContentLength)
		n := len(readItems(r))
		fmt.Fprint(w, "["+strings.TrimSuffix(strings.Repeat(`{"id":"1-1"},`, n), ",")+"]")
	})
	var events []Event
	for range 40 {
		events = append(events, Event{Channel: "c", Data: []byte(strings.Repeat("<", 64<<10)), Text: true})
	}
	events = append(events, Event{Channel: "c", Data: []byte(strings.Repeat("x", 2<<20)), Text: true})
	results, err := h.client(t, Options{}).PublishBatch(deadline(t), events)
	if err != nil || !errors.Is(results[40].Err, ErrTooLarge) || results[39].ID != "1-1" {
		t.Fatal(err, results[40])
	}
	for _, n := range sizes {
		if n > 1<<20 {
			t.Errorf("a batch of %d bytes", n)
		}
	}
}

func TestPublishBatchGivesUp(t *testing.T) {
	h := newHub(t, saysError(403, "forbidden"))
	results, err := h.client(t, Options{}).PublishBatch(deadline(t), make2000())
	if !errors.Is(err, ErrForbidden) || !errors.Is(results[999].Err, ErrForbidden) || !errors.Is(results[1000].Err, errNotSent) {
		t.Errorf("%v; %v; %v", err, results[999], results[1000])
	}
}

func make2000() []Event {
	events := make([]Event, 2000)
	for i := range events {
		events[i] = Event{Channel: "c", Data: []byte("1")}
	}
	return events
}

// What is written by hand into a batch is read back as it was.
func FuzzBatchItem(f *testing.F) {
	f.Add("c", "note", []byte(`{"a":  1}`), false)
	f.Add("c", "", []byte("\u2028<\x00\""), true)
	f.Fuzz(func(t *testing.T, channel, kind string, data []byte, text bool) {
		b, err := encodeItem(Event{Channel: channel, Type: kind, Data: data, Text: text})
		if err != nil {
			return
		}
		var item wireItem
		if err := json.Unmarshal(b, &item); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if text && item.Text != string(data) || !text && string(item.Data) != strings.Trim(string(data), " \t\r\n") {
			t.Fatalf("%q became %+v", data, item)
		}
	})
}

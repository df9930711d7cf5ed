package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

const feedWelcome = "retry: 1\nevent: runnel.welcome\ndata: {\"type\":\"welcome\",\"connection\":\"c\",\"node\":\"n\",\"heartbeat\":25}\nid: %s\n\n"

// newFeed serves the texts one request after another, each with a clean end.
func newFeed(t *testing.T, texts ...string) *httptest.Server {
	var n atomic.Int32
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := min(int(n.Add(1)), len(texts)) - 1
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		fmt.Fprintf(w, feedWelcome+"%s", "999-0", texts[i])
	}))
	t.Cleanup(h.Close)
	return h
}

func TestSubscribe(t *testing.T) {
	const gap = "event: runnel.gap\ndata: {\"channel\":\"c\",\"after\":\"999-0\",\"last_event_id\":\"1000-4\",\"resumed_at\":null,\"missed\":%s,\"reason\":\"%s\"}\nid: 1000-4\n\n"
	feed := []string{
		"data: one\nid: 1000-1\n\nevent: note\ndata: {\"a\":\ndata:  \"<b>\"}\nid: 1001-2\n\nevent: typing\ndata: 1\n\n",
		fmt.Sprintf(gap, "2", "trimmed") + fmt.Sprintf(gap, "null", "rollback") + "data: two\nid: 1002-5\n\n",
	}
	for _, test := range []struct {
		flags         []string
		stdout, notes string
	}{
		{nil,
			"one\n{\"a\":\n \"<b>\"}\n1\ntwo\n",
			"runnel: gap in c: 2 events missed (trimmed), on after 1000-4\nrunnel: gap in c: an unknown number of events missed (rollback), on after 1000-4\n"},
		{[]string{"--json"},
			`{"type":"event","channel":"c","id":"1000-1","event":"message","text":"one","time":"1970-01-01T00:00:01.000Z"}
{"type":"event","channel":"c","id":"1001-2","event":"note","data":{"a":"<b>"},"time":"1970-01-01T00:00:01.001Z"}
{"type":"event","channel":"c","id":null,"event":"typing","data":1,"position":"1001-2"}
{"type":"gap","channel":"c","after":"999-0","last_event_id":"1000-4","resumed_at":null,"missed":2,"reason":"trimmed"}
{"type":"gap","channel":"c","after":"999-0","last_event_id":"1000-4","resumed_at":null,"missed":null,"reason":"rollback"}
{"type":"event","channel":"c","id":"1002-5","event":"message","text":"two","time":"1970-01-01T00:00:01.002Z"}
`, ""},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		var out, errs bytes.Buffer
		args := append([]string{"subscribe", "c", "--count=4", "--since=1h", "--url", newFeed(t, feed...).URL}, test.flags...)
		err := run(ctx, args, env(), nil, &out, &errs)
		cancel()
		if err != nil || out.String() != test.stdout {
			t.Errorf("%v %v printed\n%s", test.flags, err, &out)
		}
		notes := bytes.NewBuffer(nil)
		for line := range bytes.Lines(errs.Bytes()) {
			if bytes.HasPrefix(line, []byte("runnel: gap")) { // not the log's
				notes.Write(line)
			}
		}
		if notes.String() != test.notes || !bytes.Contains(errs.Bytes(), []byte("the hub ended the feed")) {
			t.Errorf("%v noted\n%s", test.flags, &errs)
		}
	}
}

// To be interrupted is how a subscription usually ends.
func TestSubscribeInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { cancel(errors.New("a signal, as the program is told of it")) })
	if err := run(ctx, []string{"subscribe", "c", "--url", newFeed(t, "").URL}, env(), nil, new(bytes.Buffer), new(bytes.Buffer)); err != nil {
		t.Error(err)
	}
}

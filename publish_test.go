package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

func publishFrom(t *testing.T, in io.Reader, h *httptest.Server, args ...string) (stderr string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errs bytes.Buffer
	err = run(ctx, append([]string{"publish", "logs", "--url", h.URL}, args...), env(), in, &out, &errs)
	if out.Len() > 0 {
		t.Errorf("printed %q", &out)
	}
	return errs.String(), err
}

// A hub that fails now and then gets every line, once and in order.
func TestPublishLines(t *testing.T) {
	h := newUnreliable(t)
	var in strings.Builder
	var want []string
	for i := range 1200 {
		line := fmt.Sprintf("line %d  with \"quotes\" <and> ünïcode", i)
		want = append(want, line)
		in.WriteString(line + "\n")
		if i%100 == 0 {
			in.WriteString("\r\n\n") // empty lines are no events
		}
	}
	stderr, err := publishFrom(t, strings.NewReader(strings.TrimSuffix(in.String(), "\n")), h.Server)
	if err != nil || !strings.Contains(stderr, "published 1200 to logs\n") {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if got := strings.Join(h.events, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("%d events, not the lines", len(h.events))
	}
	if h.requests < 5 || h.requests > 100 {
		t.Errorf("%d requests: not every way to fail, or no batches", h.requests)
	}
}

// A slow pipe's line does not wait for the next one.
func TestPublishSlowPipe(t *testing.T) {
	h := newUnreliable(t)
	in, write := io.Pipe()
	defer write.Close()
	done := make(chan error, 1)
	go func() {
		_, err := publishFrom(t, in, h.Server)
		done <- err
	}()
	for i := 1; i <= 3; i++ {
		fmt.Fprintf(write, "line %d\n", i)
		for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			h.mu.Lock()
			n := len(h.events)
			h.mu.Unlock()
			if n == i {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d events after %d lines", n, i)
			}
		}
	}
	write.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestPublishRefusedLines(t *testing.T) {
	h := newUnreliable(t)
	in := "one\nrefuse this\n" + strings.Repeat("x", 2<<20) + "\nbad \xff\nlast\n"
	stderr, err := publishFrom(t, strings.NewReader(in), h.Server)
	if err == nil || exitCode(err, io.Discard) != 1 || strings.Join(h.events, ",") != "one,last" {
		t.Errorf("%v, %q", err, h.events)
	}
	for _, says := range []string{
		"line 2 is not published: too_large: as it is\n",
		"line 3 is not published: longer than 1 MiB\n",
		"line 4 is not published: bad_request: data is not UTF-8\n",
		"published 2 to logs\n",
	} {
		if !strings.Contains(stderr, says) {
			t.Errorf("%q is missing in\n%s", says, stderr)
		}
	}
}

// TestPublishForm: an argument that is a JSON object or array is published as
// JSON, all else as text, unless it is said.
func TestPublishForm(t *testing.T) {
	var kind string
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, _, _ = strings.Cut(r.Header.Get("Content-Type"), ";")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id":"1-1","channel":"c"}`)
	}))
	defer h.Close()
	for _, test := range []struct {
		data, flag, kind string
	}{
		{`{"id":17}`, "", "application/json"},
		{" [1, 2]\n", "", "application/json"},
		{"\u00a0[1]\v", "", "text/plain"}, // white space that is none in JSON
		{"[1]\u00a0", "", "text/plain"},
		{"Hello", "", "text/plain"},
		{"17", "", "text/plain"},
		{`"quoted"`, "", "text/plain"},
		{"{not json}", "", "text/plain"},
		{"[draft] hello", "", "text/plain"},
		{`{"id":17}`, "--text", "text/plain"},
		{"17", "--json", "application/json"},
	} {
		args := []string{"publish", "c", test.data, "--url", h.URL}
		if test.flag != "" {
			args = append(args, test.flag)
		}
		if err := run(t.Context(), args, env(), nil, io.Discard, io.Discard); err != nil || kind != test.kind {
			t.Errorf("%q %s: published as %s, %v", test.data, test.flag, kind, err)
		}
	}
}

func TestPublishJSONLines(t *testing.T) {
	h := newUnreliable(t)
	stderr, err := publishFrom(t, strings.NewReader("{\"a\": 1}\nno json\n[2]\n"), h.Server, "--json")
	if err == nil || strings.Join(h.events, ",") != `{"a": 1},[2]` || !strings.Contains(stderr, "line 2 is not published: bad_request: data is not JSON") {
		t.Errorf("%v, %q\n%s", err, h.events, stderr)
	}
}

// Without the right to publish there is no use in trying line after line.
func TestPublishForbidden(t *testing.T) {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `[{"error":{"code":"forbidden","message":"no"}}]`)
	}))
	defer h.Close()
	in, write := io.Pipe()
	go func() { fmt.Fprint(write, "line 1\n") }() // and no end
	stderr, err := publishFrom(t, in, h)
	in.Close()
	if err == nil || !strings.Contains(err.Error(), "forbidden: no; lines that were read and are not known to be published: 1") {
		t.Errorf("%v\n%s", err, stderr)
	}
}

func TestPublishInterrupted(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := run(ctx, []string{"publish", "c", "--url", away.URL}, env(), strings.NewReader("a\nb\nc\n"), io.Discard, cancelling(cancel))
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "not known to be published: 3") {
		t.Error(err)
	}
}

// Lines that wait in a buffer are gone from the input like those under way.
func TestPublishInterruptedBehindBuffer(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in := strings.NewReader(strings.Repeat("a\n\r\n", 5000) + "part")
	err := run(ctx, []string{"publish", "c", "--url", away.URL}, env(), in, io.Discard, cancelling(cancel))
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "not known to be published: 5001") {
		t.Error(err)
	}
}

// cancelling is a standard error of which the first line interrupts.
type cancelling context.CancelFunc

func (cancel cancelling) Write(p []byte) (int, error) {
	cancel()
	return len(p), nil
}

// A single event is given up after a while, whether the hub is away or silent.
func TestPublishGivesUp(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	ended := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-ended }))
	defer silent.Close()
	defer close(ended)
	for url, says := range map[string]string{
		away.URL:   "publish to c: given up after 100ms, see --timeout (last: cannot reach " + away.URL + "; is the hub running? (connection refused))",
		silent.URL: "publish to c: unknown_outcome: perhaps published, after 1 attempts: Post \"" + silent.URL + "/channels/c/events\": given up after 100ms, see --timeout",
	} {
		var stderr bytes.Buffer
		err := run(t.Context(), []string{"publish", "c", "x", "--timeout", "100ms", "--url", url}, env(), nil, io.Discard, &stderr)
		if err == nil || exitCode(err, io.Discard) != 1 || !strings.Contains(err.Error(), says) {
			t.Errorf("%v", err)
		}
		if again := strings.Contains(stderr.String(), "not published yet, trying again"); again != (url == away.URL) {
			t.Errorf("%v: %s", err, &stderr)
		}
	}
}

func TestPublishBrokenInput(t *testing.T) {
	h := newUnreliable(t)
	_, err := publishFrom(t, io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(errors.New("disk on fire"))), h.Server)
	if err == nil || !strings.Contains(err.Error(), "standard input: disk on fire") || strings.Join(h.events, ",") != "a,b" {
		t.Errorf("%v, %q", err, h.events)
	}
}

func TestPublishOne(t *testing.T) {
	var asked, key, body string
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		asked, key, body = r.URL.String()+" "+r.Header.Get("Content-Type")+" "+r.Header.Get("Authorization"), r.Header.Get("Idempotency-Key"), string(b)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id":"1000-7","channel":"c"}`)
	}))
	defer h.Close()
	var out bytes.Buffer
	err := run(t.Context(), []string{"publish", "c", "--event", "note", "--key", "k1", "--json", `{"a":1}`},
		env("RUNNEL_URL="+h.URL, "RUNNEL_TOKEN=t1\n"), nil, &out, io.Discard)
	if err != nil || out.String() != "1000-7\n" || asked != "/channels/c/events?event=note application/json Bearer t1" || key != "k1" || body != `{"a":1}` {
		t.Errorf("%v: printed %q, asked %s with key %s: %s", err, &out, asked, key, body)
	}
}

// However the input arrives, its lines come out numbered, in order, in batches
// within their bounds.
func TestReadLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom([]string{"", "a", "b\r", strings.Repeat("c", 70_000), strings.Repeat("d", 300_000), strings.Repeat("e", longestLine+1)})).Draw(t, "lines")
		text := strings.Join(parts, "\n")
		var want []string
		for i, p := range parts {
			if p = strings.TrimSuffix(p, "\r"); len(p) > longestLine {
				p = "too long"
			}
			if p != "" {
				want = append(want, fmt.Sprint(i+1, p))
			}
		}
		in := readLines(t.Context(), iotest.HalfReader(strings.NewReader(text)))
		var got []string
		for batch := range in.batches {
			bytes := 0
			for _, l := range batch {
				bytes += len(l.data)
				if l.tooLong {
					l.data = []byte("too long")
				}
				got = append(got, fmt.Sprint(l.number, string(l.data)))
			}
			if len(batch) > batchLines || bytes > batchBytes+longestLine {
				t.Fatalf("a batch of %d lines, %d bytes", len(batch), bytes)
			}
		}
		if in.wait() != 0 || in.err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("%d lines of %d, %v", len(got), len(want), in.err)
		}
	})
}

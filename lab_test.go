package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"runnel/web"
)

// newTestLab is a lab before a hub that answers "hub" to everything, run until
// the test ends.
func newTestLab(t *testing.T) (*lab, http.Handler) {
	t.Helper()
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hub") }))
	t.Cleanup(hub.Close)
	l := newLab(slog.New(slog.NewTextHandler(t.Output(), nil)))
	l.open(hub.Listener.Addr().String())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); l.run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return l, demoPages{web.Handler("n1", "v1", true), l, func(r *http.Request) error {
		if r.Host != "localhost" {
			return errors.New("from elsewhere")
		}
		return nil
	}}
}

func ask(t *testing.T, h http.Handler, method, path, body string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "localhost"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	answer := map[string]any{}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%s %s: %v in %q", method, path, err, w.Body)
		}
	}
	return w.Code, answer
}

// fetch asks through a proxy, over a connection of its own.
func fetch(t *testing.T, wait time.Duration, url string, header ...string) (int, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	answer.Body.Close()
	return answer.StatusCode, nil
}

func TestLab(t *testing.T) {
	_, h := newTestLab(t)
	status, made := ask(t, h, "POST", "/lab/proxies", "")
	if status != http.StatusCreated {
		t.Fatal(status, made)
	}
	url, one := made["url"].(string), "/lab/proxies/"+made["id"].(string)
	if status, err := fetch(t, patience, url); status != 200 {
		t.Fatal(status, err)
	}

	if status, answer := ask(t, h, "PUT", one, `{"refuse_upgrades":true}`); status != 200 || answer["refuse_upgrades"] != true {
		t.Fatal(status, answer)
	}
	if status, err := fetch(t, patience, url, "Connection", "Upgrade", "Upgrade", "websocket"); status != http.StatusForbidden {
		t.Error(status, err)
	}
	if status, err := fetch(t, patience, url); status != 200 {
		t.Error(status, err)
	}

	ask(t, h, "PUT", one, `{"drop_network":true}`)
	if status, err := fetch(t, time.Second, url); err == nil {
		t.Error("the network was dropped and answered", status)
	}
	ask(t, h, "PUT", one, `{}`)
	if status, err := fetch(t, patience, url); status != 200 {
		t.Error(status, err)
	}

	if status, _ := ask(t, h, "DELETE", one, ""); status != http.StatusNoContent {
		t.Error(status)
	}
	if _, err := fetch(t, patience, url); err == nil {
		t.Error("a proxy that was ended answers")
	}
	for _, method := range []string{"PUT", "DELETE"} {
		if status, _ := ask(t, h, method, one, "{}"); status != http.StatusNotFound {
			t.Error(method, status)
		}
	}
}

func TestLabRefuses(t *testing.T) {
	_, h := newTestLab(t)
	_, made := ask(t, h, "POST", "/lab/proxies", "")
	one := "/lab/proxies/" + made["id"].(string)
	for _, body := range []string{``, `[]`, `{"cut_after":-1}`, `{"cut_after":3601}`, `{"unknown":true}`, `{} {}`, `{"cut_after":"` + strings.Repeat("1", maxLabBody) + `"}`} {
		if status, answer := ask(t, h, "PUT", one, body); status != http.StatusBadRequest {
			t.Errorf("%.40q: %d %v", body, status, answer)
		}
	}
	for method, path := range map[string]string{"GET": "/lab/proxies", "PATCH": one} {
		if status, _ := ask(t, h, method, path, ""); status != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: %d", method, path, status)
		}
	}
	r := httptest.NewRequest("POST", "/lab/proxies", nil)
	r.Host = "rebound.example"
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusForbidden {
		t.Errorf("a page from elsewhere: %d", w.Code)
	}
	for range labVisitors - 1 {
		ask(t, h, "POST", "/lab/proxies", "")
	}
	if status, answer := ask(t, h, "POST", "/lab/proxies", ""); status != http.StatusServiceUnavailable {
		t.Error(status, answer)
	}
}

// A proxy stays while it is connected through, and goes some minutes after.
func TestLabForgets(t *testing.T) {
	l, h := newTestLab(t)
	_, made := ask(t, h, "POST", "/lab/proxies", "")
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.proxies[made["id"].(string)]
	if now := p.used; p.unused(now) || p.unused(now.Add(labPatience)) || !p.unused(now.Add(labPatience+1)) {
		t.Error("a proxy goes at another time")
	}
}

package faultproxy

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"
)

// Rules is what an [HTTP] proxy does to requests and answers. The zero value
// is a proxy that lets everything pass.
type Rules struct {
	// Status answers every request with this status instead of passing it on,
	// 502 say; 0: none. What is under way already goes on.
	Status int
	// RefuseUpgrades answers requests for a WebSocket with this status, as
	// firewalls do with 403, 400 or 502; 0: none.
	RefuseUpgrades int
	// SwallowFrames lets a WebSocket open and drops every byte after the
	// handshake, in both directions. One that lost a byte never carries again.
	SwallowFrames bool
	// CutUpgraded ends each WebSocket so long after its handshake; 0: never.
	CutUpgraded time.Duration
	// Buffer holds the body of each answer back until it has ended or so many
	// bytes are there, then forwards those and begins anew; 0: none. Ordinary
	// answers end and so pass, streams do not. The header passes at once: a
	// client that takes "open" for "works" is deceived. More than 4 MiB are
	// never held: from there on the proxy stops reading.
	Buffer int
}

// HTTP is a [Proxy] that understands HTTP/1.1, so that it can treat WebSockets
// and streams otherwise than plain requests. What is wrong with the network is
// set on the Proxy, what is wrong with HTTP by [HTTP.SetRules].
type HTTP struct {
	*Proxy
	inner *http.Server
	serve sync.WaitGroup

	mu      sync.Mutex // nobody blocks while holding it
	targets []string
	turn    int
	rules   Rules
	changed chan struct{} // closed and replaced by every SetRules
}

// ListenHTTP starts a proxy without faults on a free port of 127.0.0.1, which
// sends each request to the next of the targets ("host:port", at least one) in
// turn: nothing is sticky, as behind a plain balancer. The Host header passes
// unchanged, and no header is added. The caller has to Close it.
func ListenHTTP(targets ...string) (*HTTP, error) {
	if len(targets) == 0 {
		return nil, errors.New("faultproxy: no target")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	proxy, err := Listen(listener.Addr().String())
	if err != nil {
		listener.Close()
		return nil, err
	}
	h := &HTTP{Proxy: proxy, targets: targets, changed: make(chan struct{})}
	h.inner = &http.Server{Handler: h.handler(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: silent, ConnState: h.count}
	h.serve.Go(func() { h.inner.Serve(listener) })
	return h, nil
}

// count has Close wait for the server's goroutines, which net/http does not.
// A hijacked connection is counted by the handler that still has it.
func (h *HTTP) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		h.serve.Add(1)
	case http.StateClosed, http.StateHijacked:
		h.serve.Done()
	}
}

// silent is where the proxy's own complaints go: broken connections are its
// trade.
var silent = log.New(io.Discard, "", 0)

// SetTargets replaces the targets, at least one, for requests from now on.
func (h *HTTP) SetTargets(targets ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.targets = targets
}

// SetRules replaces all rules. They hold for what is open already, too: what
// was buffered goes on its way when Buffer ends.
func (h *HTTP) SetRules(r Rules) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rules = r
	close(h.changed)
	h.changed = make(chan struct{})
}

// Close stops listening, resets what is open and waits for all goroutines.
func (h *HTTP) Close() error {
	err := h.Proxy.Close()
	h.inner.Close()
	h.serve.Wait()
	return err
}

// current returns the rules and what is closed when they change.
func (h *HTTP) current() (Rules, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rules, h.changed
}

func (h *HTTP) next() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turn++
	return h.targets[(h.turn-1)%len(h.targets)]
}

// handler is a ReverseProxy, which knows hop-by-hop headers and hijacking; the
// faults stand in the bodies that it copies, an upgraded connection's too. It
// keeps no connection to a target, so that each request is placed anew.
func (h *HTTP) handler() http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", h.next()
			r.Out.Host = r.In.Host
		},
		Transport:      &http.Transport{DisableKeepAlives: true, DisableCompression: true, DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext},
		FlushInterval:  -1,
		ErrorLog:       silent,
		ModifyResponse: h.fault,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rules, _ := h.current()
		switch {
		case rules.Status != 0:
			http.Error(w, http.StatusText(rules.Status), rules.Status)
		case rules.RefuseUpgrades != 0 && r.Header.Get("Upgrade") != "":
			http.Error(w, http.StatusText(rules.RefuseUpgrades), rules.RefuseUpgrades)
		default:
			h.serve.Add(1)
			defer h.serve.Done()
			proxy.ServeHTTP(w, r)
		}
	})
}

// fault puts the rules between an answer and whoever asked.
func (h *HTTP) fault(answer *http.Response) error {
	if answer.StatusCode != http.StatusSwitchingProtocols {
		answer.Body = newHeld(h, answer.Body)
	} else if conn, ok := answer.Body.(io.ReadWriteCloser); ok {
		answer.Body = newUpgraded(h, conn)
	}
	return nil
}

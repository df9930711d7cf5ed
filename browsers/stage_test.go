package browsers

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

//go:embed testdata
var files embed.FS

// stage is the tests' web server: it serves the pages, hands out the tests'
// orders and collects what the pages saw.
type stage struct {
	port   string
	server *http.Server
	done   chan struct{}

	mu      sync.Mutex
	changed chan struct{} // closed and replaced by every order
	orders  map[string][]order
	pages   map[int]*page
	asked   map[string]bool // browsers whose driver runs
}

// order has a driver open a page, or close it where there is no URL.
type order struct {
	Page int    `json:"page"`
	URL  string `json:"url,omitempty"`
}

// orderWait is how long a driver's request waits for an order.
const orderWait = 20 * time.Second

// startStage listens on the loopback until close.
func startStage() (*stage, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	s := &stage{
		port: port, done: make(chan struct{}), changed: make(chan struct{}),
		orders: map[string][]order{}, pages: map[int]*page{}, asked: map[string]bool{},
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", scenery())
	mux.HandleFunc("GET /orders", s.giveOrders)
	mux.HandleFunc("POST /sights", s.collect)
	mux.HandleFunc("GET /cookie", s.setCookie)
	s.server = &http.Server{Handler: mux}
	go func() {
		defer close(s.done)
		s.server.Serve(listener)
	}()
	return s, nil
}

// scenery serves the pages' files.
func scenery() http.Handler {
	content, err := fs.Sub(files, "testdata")
	if err != nil {
		panic(err) // they are embedded
	}
	return http.FileServerFS(content)
}

// site is the origin of all pages but a few. The name is below localhost, so that
// another one beside it is another origin of the same site.
func (s *stage) site() string { return "http://pages.runnel.localhost:" + s.port }

func (s *stage) close() {
	s.server.Close()
	<-s.done
}

// give hands an order to a browser's driver.
func (s *stage) give(browser string, o order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders[browser] = append(s.orders[browser], o)
	s.signal()
}

// signal wakes all that wait. The caller holds the lock.
func (s *stage) signal() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// runs reports whether the browser's driver has asked for orders.
func (s *stage) runs(browser string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[browser]
}

func (s *stage) giveOrders(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.Atoi(r.FormValue("after"))
	if err != nil || after < 0 {
		http.Error(w, "after is a number", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), orderWait)
	defer cancel()
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(s.ordersAfter(ctx, r.FormValue("browser"), after))
}

// ordersAfter waits until there are more than that many orders.
func (s *stage) ordersAfter(ctx context.Context, browser string, after int) []order {
	for {
		s.mu.Lock()
		s.asked[browser] = true
		all, changed := s.orders[browser], s.changed
		s.mu.Unlock()
		if len(all) > after {
			return all[after:]
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return []order{}
		}
	}
}

func (s *stage) collect(w http.ResponseWriter, r *http.Request) {
	var sights []sight
	number, err := strconv.Atoi(r.FormValue("page"))
	if err == nil {
		err = json.NewDecoder(r.Body).Decode(&sights)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	p := s.pages[number]
	s.mu.Unlock()
	if p != nil {
		p.add(sights)
	}
	w.WriteHeader(http.StatusNoContent)
}

// setCookie gives the whole site a token, as an application's login does.
func (s *stage) setCookie(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{
		Name: "runnel_token", Value: r.FormValue("token"), Domain: "runnel.localhost", Path: "/",
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	http.Redirect(w, r, "/page.html?"+r.FormValue("then"), http.StatusSeeOther)
}

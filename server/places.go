package server

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// places are what connections have from accept(2) until their file is closed,
// whatever they do with it: half a handshake, a slow header, nothing, a feed.
// There are as many as there are files for them, and so many for one network.
//
// Who has no request under way holds a place for nothing. When places are
// wanted the longest of them goes, so that nobody can keep others out by
// waiting, and nobody has to go as long as there is room.
type places struct {
	most    int                   // fewer than files: see placesFor
	each    int                   // for one network; 0: no limit
	trusted func(netip.Addr) bool // proxies, through which many come
	scarce  func()                // is told that files are short

	mu      sync.Mutex
	taken   int
	waiting queue
	sources map[netip.Prefix]*source // no more than places, for each has one
	proxies source
	away    turnedAway
}

// turnedAway counts connections that were closed without an answer.
type turnedAway struct {
	address uint64 // refused: its network has as many as it may
	files   uint64 // refused: there was no file left
	waiting uint64 // closed while they waited, for others
}

// source is a network from which connections come.
type source struct {
	places  *places
	network netip.Prefix
	taken   int
	waiting queue
}

func newPlaces(l Limits, trusted func(netip.Addr) bool, scarce func()) *places {
	p := &places{most: placesFor(l.Files), trusted: trusted, scarce: scarce, sources: make(map[netip.Prefix]*source)}
	if l.ConnectionsPerIP > 0 {
		p.each = min(l.ConnectionsPerIP+max(l.ConnectionsPerIP/4, fewestRequests), max(p.most*3/4, 1))
	}
	p.proxies.places, p.proxies.waiting.of, p.waiting.of = p, ofSource, ofAll
	return p
}

// fewestRequests is how many connections a network may have at least beside its
// feeds: for requests, and to be told of the limit of feeds.
const fewestRequests = 16

// enter gives an accepted connection its place, and returns nil when there is
// none for it, which leaves the connection to the caller.
func (p *places) enter(conn *net.TCPConn, from netip.Addr, now time.Time) *visitor {
	v := &visitor{TCPConn: conn}
	in, goes, short := p.seat(v, from, now)
	closeVisitors(goes)
	if short {
		p.scarce()
	}
	if !in {
		return nil
	}
	return v
}

// seat finds a place for v, and who goes for it, whom the caller closes. It
// tells whether files are short.
func (p *places) seat(v *visitor, from netip.Addr, now time.Time) (in bool, goes []*visitor, short bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v.source = p.source(from)
	switch {
	case v.source.full():
		if goes = p.turnOut(goes, v.source.waiting.first); goes == nil {
			p.away.address++
			return false, nil, false
		}
	case p.taken >= p.most:
		short = true
		if goes = p.turnOut(goes, p.waiting.first); goes == nil {
			p.away.files++
			return false, nil, short
		}
	default:
		goes = p.turnOutIdle(now)
	}
	p.take(v, now)
	return true, goes, short
}

func (p *places) take(v *visitor, now time.Time) {
	if v.source != &p.proxies {
		p.sources[v.source.network] = v.source
	}
	v.source.taken++
	p.taken++
	p.wait(v, now)
}

// full reports whether the network has as many places as it may.
func (s *source) full() bool {
	p := s.places
	return p.each > 0 && s != &p.proxies && s.taken >= p.each
}

func (p *places) source(from netip.Addr) *source {
	if p.trusted(from) {
		return &p.proxies
	}
	s := p.sources[network(from)]
	if s == nil {
		s = &source{places: p, network: network(from), waiting: queue{of: ofSource}}
	}
	return s
}

// shortIdle is how long one may wait when three quarters of the places are
// taken. A client that is there sends its request long before.
const shortIdle = 5 * time.Second

// mostTurnedOut bounds the time that one who comes waits for others to go.
const mostTurnedOut = 8

func (p *places) turnOutIdle(now time.Time) (goes []*visitor) {
	if p.taken < p.most-p.most/4 {
		return nil
	}
	latest := sinceBegan(now) - int64(shortIdle)
	for v := p.waiting.first; v != nil && v.since <= latest && len(goes) < mostTurnedOut; v = p.waiting.first {
		goes = p.turnOut(goes, v)
	}
	return goes
}

// turnOut takes the place from one who waits; nil does nothing.
func (p *places) turnOut(goes []*visitor, v *visitor) []*visitor {
	if v == nil {
		return goes
	}
	v.out = true
	p.away.waiting++
	p.leave(v)
	return append(goes, v)
}

// makeRoom closes who has waited longest, and reports whether there was one.
func (p *places) makeRoom() bool {
	p.mu.Lock()
	goes := p.turnOut(nil, p.waiting.first)
	p.mu.Unlock()
	closeVisitors(goes)
	p.scarce()
	return goes != nil
}

func (p *places) wait(v *visitor, now time.Time) {
	if !v.waits && !v.left {
		v.waits, v.since = true, sinceBegan(now)
		p.waiting.push(v)
		v.source.waiting.push(v)
	}
}

func (p *places) goOn(v *visitor) {
	if v.waits {
		v.waits = false
		p.waiting.drop(v)
		v.source.waiting.drop(v)
	}
}

// leave gives the place of a connection back, once.
func (p *places) leave(v *visitor) {
	p.goOn(v)
	if !v.left {
		v.left = true
		p.free(v.source)
	}
}

func (p *places) free(s *source) {
	p.taken--
	if s.taken--; s.taken == 0 && s != &p.proxies {
		delete(p.sources, s.network)
	}
}

// leave gives a place back whose connection is a visitor's no longer.
func (s *source) leave() {
	s.places.mu.Lock()
	defer s.places.mu.Unlock()
	s.places.free(s)
}

// counted returns how many were turned away so far.
func (p *places) counted() turnedAway {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.away
}

// watch is [http.Server.ConnState]. A connection is new, or idle, until the
// header of a request has come whole. A request that came just as its
// connection was closed is not begun: its client hears nothing of it, and may
// send it again.
func (p *places) watch(conn net.Conn, state http.ConnState) {
	v, ok := netConn(conn).(*visitor)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch state {
	case http.StateIdle:
		p.wait(v, time.Now())
	case http.StateActive:
		p.goOn(v)
		if v.out {
			panic(http.ErrAbortHandler)
		}
	}
}

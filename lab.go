package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"runnel/faultproxy"
)

const (
	// labVisitors is how many proxies there are at a time: demo mode is for one
	// machine, whose browser may have a few tabs.
	labVisitors = 16
	// labPatience is how long a proxy stays that nobody is connected through
	// and nobody asked for: longer than a laptop's lid is closed in a demonstration.
	labPatience = 5 * time.Minute
)

var (
	errLabFull   = errors.New("all proxies of the lab are in use; close a tab of it, or come back in some minutes")
	errLabClosed = errors.New("the hub is ending")
)

// labFaults are the switches of the firewall lab.
type labFaults struct {
	RefuseUpgrades bool `json:"refuse_upgrades"` // WebSockets get 403
	SwallowFrames  bool `json:"swallow_frames"`  // WebSockets open and carry nothing
	BufferStreams  bool `json:"buffer_streams"`  // answers are held until they end
	CutAfter       int  `json:"cut_after"`       // seconds that a connection lives; 0: no limit
	DropNetwork    bool `json:"drop_network"`    // nothing passes, and nobody is told
}

func (f labFaults) rules() (r faultproxy.Rules) {
	if f.RefuseUpgrades {
		r.RefuseUpgrades = 403
	}
	if f.BufferStreams {
		r.Buffer = math.MaxInt
	}
	r.SwallowFrames = f.SwallowFrames
	return r
}

func (f labFaults) network() faultproxy.Faults {
	lane := faultproxy.Lane{Stall: f.DropNetwork}
	return faultproxy.Faults{CutAfter: time.Duration(f.CutAfter) * time.Second, Up: lane, Down: lane}
}

// lab gives each visitor of the firewall lab a fault proxy before this hub.
type lab struct {
	log *slog.Logger

	mu      sync.Mutex
	hub     string // "host:port"; "": not open, or not any more
	proxies map[string]*labProxy
}

type labProxy struct {
	*faultproxy.HTTP
	faults labFaults
	used   time.Time
}

func newLab(log *slog.Logger) *lab { return &lab{log: log, proxies: map[string]*labProxy{}} }

// open has the proxies lead to the hub's address. Who calls it calls run.
func (l *lab) open(hub string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hub = hub
}

// run ends proxies that nobody uses, and all of them when ctx ends.
func (l *lab) run(ctx context.Context) {
	ticker := time.NewTicker(labPatience / 10)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			l.end(func(p *labProxy) bool { return p.unused(now) })
		case <-ctx.Done():
			l.open("")
			l.end(func(*labProxy) bool { return true })
			return
		}
	}
}

// unused tells whether a proxy may go, and takes an open connection for a use.
func (p *labProxy) unused(now time.Time) bool {
	if p.Stats().Open > 0 {
		p.used = now
	}
	return now.Sub(p.used) > labPatience
}

// end closes the proxies that which names.
func (l *lab) end(which func(*labProxy) bool) {
	var ended []*labProxy
	l.mu.Lock()
	for id, p := range l.proxies {
		if which(p) {
			ended = append(ended, p)
			delete(l.proxies, id)
		}
	}
	l.mu.Unlock()
	for _, p := range ended {
		if err := p.Close(); err != nil {
			l.log.Error("closing a proxy of the firewall lab", "cause", err)
		}
	}
}

// begin makes a proxy without faults and returns its ID and address.
func (l *lab) begin() (id, address string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.hub == "":
		return "", "", errLabClosed
	case len(l.proxies) == labVisitors:
		return "", "", errLabFull
	}
	p, err := faultproxy.ListenHTTP(l.hub)
	if err != nil {
		return "", "", err
	}
	id = strings.ToLower(rand.Text())
	l.proxies[id] = &labProxy{HTTP: p, used: time.Now()}
	return id, p.Addr(), nil
}

// set replaces a proxy's faults; false: there is no such. A firewall that
// appears before what is open already knows nothing of it: such connections
// are reset. A network that is dropped leaves them.
func (l *lab) set(id string, f labFaults) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, ok := l.proxies[id]
	if !ok {
		return false
	}
	before := p.faults
	p.faults, p.used = f, time.Now()
	p.SetRules(f.rules())
	p.Set(f.network())
	if f.rules() != before.rules() {
		p.Reset()
	}
	return true
}

// remove ends a proxy; false: there is no such.
func (l *lab) remove(id string) bool {
	l.mu.Lock()
	p, ok := l.proxies[id]
	l.mu.Unlock()
	if ok {
		l.end(func(each *labProxy) bool { return each == p })
	}
	return ok
}

// Package faultproxy is a proxy that breaks connections on purpose: it
// cuts, resets, stalls, delays, buffers and swallows, so that what the hub
// promises can be tried against the networks that people really have.
//
// Begin with [Listen], connect to [Proxy.Addr], and switch faults with
// [Proxy.Set] at any time; they hold for connections that are open already,
// too. [Proxy.Cut] and [Proxy.Reset] end what is open now. [ListenHTTP] gives a
// proxy that also knows WebSockets and streams from plain requests.
package faultproxy

import (
	"context"
	"net"
	"sync"
	"time"
)

// Faults is what goes wrong. The zero value is a proxy without faults.
type Faults struct {
	Refuse   bool          // new connections are reset at once, before the target hears of them
	CutAfter time.Duration // each connection is cut so long after it was opened; 0: never
	Reset    bool          // CutAfter, here and in a lane, cuts with RST instead of FIN
	Up, Down Lane          // from the client to the target, and back
}

// Lane is what goes wrong in one direction.
type Lane struct {
	// Stall takes bytes and forwards nothing, nor the end of the stream. What
	// was taken (up to about a MiB per connection, then the sender feels it)
	// goes on its way when the stall is over.
	Stall bool
	// Swallow takes bytes and drops them, and keeps the receiver's socket open
	// when the sender's is gone: a half-open connection. One that lost a byte
	// never forwards again, since TCP has no holes.
	Swallow bool
	Delay   time.Duration // every byte arrives so much later; the throughput stays
	// Buffer holds bytes back until so many are there, then forwards them
	// all and begins anew, as buffering HTTP proxies do; 0: none.
	Buffer int
	// CutAfter cuts the connection when it has forwarded exactly so many
	// bytes in this direction since it was opened; 0: never.
	CutAfter int64
}

// Stats counts what happened since Listen.
type Stats struct {
	Open        int   // connections now
	Accepted    int64 // connections ever, the refused ones too
	Refused     int64 // by Faults.Refuse
	Unreachable int64 // the target could not be dialled
	Cut         int64 // by a fault, Cut or Reset
	Up, Down    int64 // bytes forwarded
	Swallowed   int64 // bytes dropped, both directions
}

// Proxy forwards TCP connections to a target. All methods may be called from
// many goroutines at once.
type Proxy struct {
	listener *net.TCPListener
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu      sync.Mutex // for the links' fields too; nobody blocks while holding it
	target  string
	faults  Faults
	changed chan struct{} // closed and replaced by every Set
	links   map[*link]struct{}
	stats   Stats
}

// Listen starts a proxy without faults on a free port of 127.0.0.1, for
// connections to target ("host:port"), which need not be there yet. The
// caller has to Close it.
func Listen(target string) (*Proxy, error) {
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		listener: listener,
		target:   target,
		changed:  make(chan struct{}),
		links:    map[*link]struct{}{},
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.running.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens, "127.0.0.1:port".
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// SetTarget has connections that come from now on reach another address.
func (p *Proxy) SetTarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Set replaces all faults.
func (p *Proxy) Set(f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = f
	close(p.changed)
	p.changed = make(chan struct{})
}

// Cut ends every open connection with FIN to both sides, and returns how many
// there were. Bytes not yet forwarded are lost.
func (p *Proxy) Cut() int { return p.cutAll(false) }

// Reset is Cut with RST; a target just being dialled may see FIN.
func (p *Proxy) Reset() int { return p.cutAll(true) }

func (p *Proxy) cutAll(withReset bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.stats.Cut
	for l := range p.links {
		l.cut(withReset)
	}
	return int(p.stats.Cut - before)
}

// Stats returns the counters.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Open = len(p.links)
	return s
}

// Close stops listening, resets what is open and waits for all goroutines.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.cancel()
	p.Reset()
	p.running.Wait()
	return err
}

func (p *Proxy) accept() {
	for p.ctx.Err() == nil {
		client, err := p.listener.AcceptTCP()
		if err == nil {
			p.open(client)
			continue
		}
		select { // out of file descriptors, most likely: they come back
		case <-time.After(10 * time.Millisecond):
		case <-p.ctx.Done():
		}
	}
}

func (p *Proxy) open(client *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Accepted++
	if p.faults.Refuse {
		p.stats.Refused++
		reset(client)
		return
	}
	l := &link{proxy: p, client: client, opened: time.Now(), lanes: 2}
	l.ctx, l.cancel = context.WithCancel(p.ctx)
	p.links[l] = struct{}{}
	target := p.target
	p.running.Go(func() { l.run(target) })
}

// current returns the faults and what is closed when they change.
func (p *Proxy) current() (Faults, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults, p.changed
}

// reset closes with RST (SO_LINGER 0).
func reset(c *net.TCPConn) {
	c.SetLinger(0)
	c.Close()
}

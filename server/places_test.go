package server

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"runnel/auth"
)

// testPlaces has so many places, so many of them for one network.
func testPlaces(most, each int, proxies ...string) *places {
	a := &clientAddresses{}
	for _, p := range proxies {
		a.trusted = append(a.trusted, netip.MustParsePrefix(p))
	}
	p := newPlaces(Limits{Files: most + 48}, a.trusts, func() {})
	p.each = each
	return p
}

// come has somebody come from an address; nil: turned away.
func (p *places) come(from string, now time.Time) *visitor {
	return p.enter(&net.TCPConn{}, netip.MustParseAddr(from), now)
}

// ask has a whole header of a visitor come.
func (p *places) ask(v *visitor) { p.watch(v, http.StateActive) }

func TestWhoWaitsLongestGoesForItsNetwork(t *testing.T) {
	p, now := testPlaces(100, 2), time.Now()
	first, second := p.come("192.0.2.1", now), p.come("192.0.2.1", now)
	other := p.come("192.0.2.2", now)
	p.ask(first)
	p.watch(first, http.StateIdle) // it waits since later than the second
	if p.come("192.0.2.1", now) == nil || !second.out || first.out || other.out {
		t.Errorf("first went %v, second %v, another address's %v", first.out, second.out, other.out)
	}
	if p.come("192.0.2.1", now) == nil || !first.out {
		t.Error("the next one does not go")
	}
	if got := p.counted(); got != (turnedAway{waiting: 2}) {
		t.Errorf("%+v", got)
	}
}

func TestNobodyGoesWhoHasARequest(t *testing.T) {
	p, now := testPlaces(4, 2), time.Now()
	for _, from := range []string{"192.0.2.1", "192.0.2.1", "2001:db8::1", "2001:db8::2"} {
		p.ask(p.come(from, now))
	}
	if p.come("192.0.2.1", now) != nil || p.come("2001:db8::3", now) != nil {
		t.Error("a third of one network is let in")
	}
	if p.come("2001:db8:0:1::1", now) != nil {
		t.Error("a fifth is let in")
	}
	if got := p.counted(); got != (turnedAway{address: 2, files: 1}) {
		t.Errorf("%+v", got)
	}
	if len(p.sources) != 2 {
		t.Errorf("%d networks are held", len(p.sources))
	}
}

func TestProxiesHaveNoLimitOfTheirOwn(t *testing.T) {
	p, now := testPlaces(10, 2, "10.0.0.0/8"), time.Now()
	for i := range 10 {
		if v := p.come("10.1.2.3", now); v == nil {
			t.Fatalf("connection %d of a proxy is turned away", i)
		}
	}
	if p.come("192.0.2.1", now) == nil {
		t.Error("a full node turns away who could have a place that nobody uses")
	}
	if got := p.counted(); got != (turnedAway{waiting: 1}) || len(p.sources) != 1 {
		t.Errorf("%+v, %d networks", got, len(p.sources))
	}
}

// TestIdleIsShortWhenFilesAreScarce: while a quarter of the places is free
// nobody has to go for waiting.
func TestIdleIsShortWhenFilesAreScarce(t *testing.T) {
	p, began := testPlaces(100, 0), time.Now()
	idle := make([]*visitor, 0, 20)
	for range 20 {
		idle = append(idle, p.come("192.0.2.1", began))
	}
	for range 55 {
		p.ask(p.come("192.0.2.2", began))
	}
	late := began.Add(2 * shortIdle)
	gone := func() (n int) {
		for _, v := range idle {
			if v.out {
				n++
			}
		}
		return n
	}
	p.leave(idle[19])
	if p.come("192.0.2.3", late); gone() != 0 {
		t.Errorf("%d went with a quarter free", gone())
	}
	p.come("192.0.2.4", began.Add(shortIdle-1))
	if gone() != 0 {
		t.Errorf("%d went early", gone())
	}
	for range 20 {
		p.ask(p.come("192.0.2.5", late))
	}
	if gone() < 10 || idle[19].out {
		t.Errorf("%d went who were idle", gone())
	}
	if got := p.counted(); got.address+got.files != 0 {
		t.Errorf("%+v", got)
	}
}

// TestARequestWhoseConnectionWentIsNotBegun: its client may send it again.
func TestARequestWhoseConnectionWentIsNotBegun(t *testing.T) {
	p := testPlaces(1, 0)
	v := p.come("192.0.2.1", time.Now())
	p.come("192.0.2.2", time.Now())
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("the request goes on")
		}
	}()
	p.ask(v)
}

func TestLimitOfANetworkFollowsItsFeeds(t *testing.T) {
	for _, c := range []struct{ files, feeds, want int }{
		{1 << 20, 500, 625}, {1 << 20, 5, 21}, {1 << 20, 0, 0}, {1024, 5, 21}, {1024, 2000, 729}, {100, 500, 39}, {10, 500, 1},
	} {
		p := newPlaces(Limits{Files: c.files, ConnectionsPerIP: c.feeds}, nil, nil)
		if p.each != c.want {
			t.Errorf("%d files, %d feeds of an address: %d connections, want %d", c.files, c.feeds, p.each, c.want)
		}
		if p.most < connectionsFor(c.files) {
			t.Errorf("%d files: %d connections, and %d feeds", c.files, p.most, connectionsFor(c.files))
		}
	}
}

// TestPlacesAreCountedOnce: whatever becomes of connections, in any order.
func TestPlacesAreCountedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := testPlaces(8, 3, "10.0.0.0/8")
		var here []*visitor // with a place, longest waiting first among those who wait
		var feeds []*source
		now := time.Now()
		drop := func(v *visitor) { here = slices.DeleteFunc(here, func(o *visitor) bool { return o == v }) }
		pick := func() *visitor {
			if len(here) == 0 {
				t.Skip("nobody")
			}
			return rapid.SampledFrom(here).Draw(t, "who")
		}
		t.Repeat(map[string]func(*rapid.T){
			"come": func(t *rapid.T) {
				now = now.Add(time.Millisecond)
				v := p.come(rapid.SampledFrom([]string{"10.0.0.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"}).Draw(t, "from"), now)
				for _, o := range slices.Clone(here) {
					if o.out {
						drop(o)
					}
				}
				if v != nil {
					here = append(here, v)
				}
			},
			"ask": func(t *rapid.T) { p.ask(pick()) },
			"idle": func(t *rapid.T) {
				v := pick()
				if p.watch(v, http.StateIdle); !v.waits {
					t.Fatal("does not wait")
				}
			},
			"close": func(t *rapid.T) {
				v := pick()
				v.Close()
				v.Close()
				drop(v)
			},
			"feed": func(t *rapid.T) {
				v := pick()
				feeds = append(feeds, v.handOver())
				v.Close()
				drop(v)
			},
			"feed ends": func(t *rapid.T) {
				if len(feeds) == 0 {
					t.Skip("none")
				}
				feeds[0].leave()
				feeds = feeds[1:]
			},
			"": func(t *rapid.T) {
				bySource := map[*source]int{}
				for _, v := range here {
					bySource[v.source]++
				}
				for _, s := range feeds {
					bySource[s]++
				}
				if p.taken != len(here)+len(feeds) || p.taken > p.most {
					t.Fatalf("%d places are taken, by %d and %d", p.taken, len(here), len(feeds))
				}
				for s, n := range bySource {
					if s.taken != n || s != &p.proxies && (n > p.each || p.sources[s.network] != s) {
						t.Fatalf("%v has %d places, by count %d", s.network, n, s.taken)
					}
				}
				delete(bySource, &p.proxies)
				if len(p.sources) != len(bySource) {
					t.Fatalf("%d networks are held, %d are here", len(p.sources), len(bySource))
				}
				waits := 0
				for v := p.waiting.first; v != nil; v = v.next[ofAll] {
					waits++
				}
				for _, v := range here {
					if v.waits {
						waits--
					}
				}
				if waits != 0 {
					t.Fatalf("%d more stand in the queue than wait", waits)
				}
			},
		})
	})
}

// noFiles is a listener that has no file for the next connections.
type noFiles struct {
	net.Listener
	times int
}

func (l *noFiles) Accept() (net.Conn, error) {
	if l.times--; l.times >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return nil, net.ErrClosed
}

func TestWithoutFilesWhoWaitsGoes(t *testing.T) {
	p := testPlaces(10, 0)
	v, w, busy := p.come("192.0.2.1", time.Now()), p.come("192.0.2.2", time.Now()), p.come("192.0.2.3", time.Now())
	p.ask(busy)
	if _, err := (sparing{&noFiles{times: 1}, p}).Accept(); err != net.ErrClosed || !v.out || w.out {
		t.Errorf("%v, the first went %v, the second %v", err, v.out, w.out)
	}
	if _, err := (sparing{&noFiles{times: 5}, p}).Accept(); !errors.Is(err, syscall.EMFILE) || !w.out || busy.out {
		t.Errorf("%v, the second went %v, who has a request %v", err, w.out, busy.out)
	}
}

func (p *places) takenNow() (n, networks int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken, len(p.sources)
}

// TestPlacesAreGivenBack: by every kind of connection, however it ends, and no
// earlier.
func TestPlacesAreGivenBack(t *testing.T) {
	const sse = "GET /channels/c/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
	const ws = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	const request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
	certFile, keyFile := writeCertificate(t, t.TempDir(), "places", time.Now())
	for _, secure := range []bool{false, true} {
		s := serve(t, demo, func(c *Config, _ *auth.Config) {
			if secure {
				c.TLSCert, c.TLSKey = certFile, keyFile
			}
		})
		dial := func() (net.Conn, error) {
			if secure {
				return tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true})
			}
			return net.Dial("tcp", s.address)
		}
		var open []net.Conn
		for _, begin := range []struct{ sent, answer string }{
			{"", ""}, {"GET / HTT", ""}, {request, "alive"}, {sse, "runnel.welcome"}, {ws, `"welcome"`}, {sse, "runnel.welcome"}, {ws, `"welcome"`},
		} {
			conn, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			io.WriteString(conn, begin.sent)
			for r, text := bufio.NewReader(conn), ""; !strings.Contains(text, begin.answer); {
				b, err := r.ReadByte()
				if err != nil {
					t.Fatalf("%.20q: %v after %q", begin.sent, err, text)
				}
				text += string(b)
			}
			open = append(open, conn)
			eventually(t, fmt.Sprintf("%d connections have places", len(open)), func() bool { // they may wait in the kernel
				taken, networks := s.places.takenNow()
				return taken == len(open) && networks == 1
			})
		}
		for i, conn := range open {
			if i != 5 { // an SSE feed is for the hub to end
				conn.Close()
			}
		}
		eventually(t, "what clients closed is given back", func() bool { n, _ := s.places.takenNow(); return n == 1 })
		if secure {
			transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
			req, _ := http.NewRequest("GET", "https://"+s.address+"/channels/c/events", nil)
			req.Header.Set("Accept", "text/event-stream")
			for range 3 {
				resp, err := transport.RoundTrip(req)
				if err != nil || resp.ProtoMajor != 2 {
					t.Fatalf("%v, %+v", err, resp)
				}
				defer resp.Body.Close()
			}
			if n, _ := s.places.takenNow(); n != 2 {
				t.Errorf("%d places with three feeds on one connection of HTTP/2 more, want 2", n)
			}
		}
		s.stop()
		s.wait()
		if taken, networks := s.places.takenNow(); taken != 0 || networks != 0 {
			t.Errorf("TLS %v: %d places of %d networks are taken at the end", secure, taken, networks)
		}
	}
}

// TestTurnedAwayConnectionsAreClosed: on the wire, and idle ones before others.
func TestTurnedAwayConnectionsAreClosed(t *testing.T) {
	s := serve(t, demo, func(c *Config, _ *auth.Config) {
		c.Limits = DefaultLimits()
		c.Limits.ConnectionsPerIP = 1
	})
	ask := func(conn net.Conn) error {
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
		}
		return err
	}
	var conns []net.Conn
	for range 1 + fewestRequests + 1 {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := ask(conn); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	if err := ask(conns[0]); err == nil || errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("the longest idle connection: %v", err)
	}
	if err := ask(conns[1]); err != nil {
		t.Errorf("the next: %v", err)
	}
}

// BenchmarkPlaces is what places add to a request on a connection that is kept
// alive.
func BenchmarkPlaces(b *testing.B) {
	p := testPlaces(1<<20, 1<<19)
	for range 1000 {
		p.come("192.0.2.1", time.Now())
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		v := p.come("192.0.2.1", time.Now())
		for pb.Next() {
			p.watch(v, http.StateActive)
			p.watch(v, http.StateIdle)
		}
	})
}

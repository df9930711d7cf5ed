package faultproxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"runnel/hubtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come, moment how long it
// looks at what must not.
const (
	patience = hubtest.Patience
	moment   = 80 * time.Millisecond
)

type cleaner interface {
	Helper()
	Fatal(...any)
	Cleanup(func())
}

// target accepts connections and hands them to the test.
func target(t cleaner) (addr string, conns <-chan *net.TCPConn) {
	t.Helper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan *net.TCPConn, 16)
	go func() {
		defer close(accepted)
		for {
			c, err := listener.AcceptTCP()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(patience))
			accepted <- c
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		for c := range accepted {
			c.Close()
		}
	})
	return listener.Addr().String(), accepted
}

func listen(t cleaner, addr string) *Proxy {
	t.Helper()
	p, err := Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func dial(t cleaner, p *Proxy) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// pair is a client and the server end it reaches through the proxy.
func pair(t cleaner) (p *Proxy, client, server *net.TCPConn) {
	t.Helper()
	addr, conns := target(t)
	p = listen(t, addr)
	client = dial(t, p)
	server = <-conns
	t.Cleanup(func() { server.Close() })
	return p, client, server
}

func write(t cleaner, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
}

func expect(t cleaner, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatal("read", string(got[:n]), err, "want", want)
	}
}

func expectSilence(t cleaner, c *net.TCPConn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(moment))
	defer c.SetReadDeadline(time.Now().Add(patience))
	var b [1]byte
	if n, err := c.Read(b[:]); n > 0 || !isTimeout(err) {
		t.Fatal("want silence, got", n, "bytes and", err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func expectReset(t cleaner, c net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, c); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal("want a reset, got", err)
	}
}

// expectRefusal dials and wants a reset, which may come before the dial is done.
func expectRefusal(t cleaner, p *Proxy) {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err == nil {
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		_, err = io.Copy(io.Discard, c)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal("want a reset, got", err)
	}
}

func eventually(t cleaner, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatal("never:", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestForwards(t *testing.T) {
	p, client, server := pair(t)
	write(t, client, "question")
	expect(t, server, "question")
	client.CloseWrite()
	if rest, err := io.ReadAll(server); len(rest) > 0 || err != nil {
		t.Fatal("after the end:", rest, err)
	}
	write(t, server, "answer") // the other half is still open
	expect(t, client, "answer")
	server.Close()
	if rest, err := io.ReadAll(client); len(rest) > 0 || err != nil {
		t.Fatal("after the end:", rest, err)
	}
	eventually(t, "closed", func() bool { return p.Stats().Open == 0 })
	if got, want := p.Stats(), (Stats{Accepted: 1, Up: 8, Down: 6}); got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
}

func TestForwardsReset(t *testing.T) {
	_, client, server := pair(t)
	reset(client)
	expectReset(t, server)
}

func TestCut(t *testing.T) {
	p, client, server := pair(t)
	write(t, client, "unread") // must not turn the FIN into an RST
	if n := p.Cut(); n != 1 {
		t.Fatal("cut", n)
	}
	for _, c := range []net.Conn{client, server} {
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Fatal("want a clean end, got", err)
		}
	}
	if n := p.Cut(); n != 0 || p.Stats().Cut != 1 {
		t.Fatal("cut twice:", n, p.Stats().Cut)
	}
}

func TestReset(t *testing.T) {
	p, client, server := pair(t)
	write(t, client, "x") // a connection still being dialled would end with FIN
	expect(t, server, "x")
	if n := p.Reset(); n != 1 {
		t.Fatal("reset", n)
	}
	expectReset(t, client)
	expectReset(t, server)
}

func TestCutAfterBytes(t *testing.T) {
	p, client, server := pair(t)
	write(t, server, "12345")
	expect(t, client, "12345")
	p.Set(Faults{Down: Lane{CutAfter: 8}})
	write(t, server, "67890")
	if got, err := io.ReadAll(client); string(got) != "678" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	if s := p.Stats(); s.Cut != 1 || s.Down != 8 {
		t.Fatalf("%+v", s)
	}
}

func TestCutAfterTime(t *testing.T) {
	p, client, server := pair(t)
	p.Set(Faults{CutAfter: time.Hour})
	write(t, client, "x")
	expect(t, server, "x")
	p.Set(Faults{CutAfter: time.Millisecond, Reset: true}) // it is older than that
	expectReset(t, client)
	expectReset(t, server)
}

func TestRefuse(t *testing.T) {
	p, client, server := pair(t)
	p.Set(Faults{Refuse: true})
	expectRefusal(t, p)
	write(t, client, "old ones live")
	expect(t, server, "old ones live")
	p.Set(Faults{})
	dial(t, p)
	eventually(t, "open", func() bool { return p.Stats().Open == 2 })
	if s := p.Stats(); s.Refused != 1 || s.Accepted != 3 {
		t.Fatalf("%+v", s)
	}
}

func TestUnreachable(t *testing.T) {
	p := listen(t, "127.0.0.1:1")
	expectRefusal(t, p)
	if n := p.Stats().Unreachable; n != 1 {
		t.Fatal("unreachable", n)
	}
}

func TestStall(t *testing.T) {
	p, client, server := pair(t)
	p.Set(Faults{Down: Lane{Stall: true}})
	big := strings.Repeat("0123456789abcdef", 1<<14)
	write(t, server, big) // is taken
	server.CloseWrite()
	expectSilence(t, client)
	write(t, client, "the other way")
	expect(t, server, "the other way")
	p.Set(Faults{})
	if got, err := io.ReadAll(client); string(got) != big || err != nil {
		t.Fatal("after the stall:", len(got), err)
	}
}

func TestDelay(t *testing.T) {
	p, client, server := pair(t)
	const delay = 60 * time.Millisecond
	p.Set(Faults{Up: Lane{Delay: delay}})
	start := time.Now()
	for range 1000 { // under way together, not one after the other
		write(t, client, "x")
	}
	expect(t, server, "x")
	if took := time.Since(start); took < delay {
		t.Fatal("too early:", took)
	}
	expect(t, server, strings.Repeat("x", 999))
	if took := time.Since(start); took > 5*time.Second {
		t.Fatal("delays add up:", took)
	}
}

func TestBuffer(t *testing.T) {
	p, client, server := pair(t)
	p.Set(Faults{Down: Lane{Buffer: 1 << 10}})
	write(t, server, strings.Repeat("a", 1000))
	expectSilence(t, client)
	write(t, server, strings.Repeat("b", 24))
	expect(t, client, strings.Repeat("a", 1000)+strings.Repeat("b", 24))
	write(t, server, "rest")
	expectSilence(t, client)
	server.CloseWrite() // a buffering proxy hands out the rest at the end
	expect(t, client, "rest")
}

func TestSwallow(t *testing.T) {
	p, client, server := pair(t)
	p.Set(Faults{Up: Lane{Swallow: true}, Down: Lane{Swallow: true}})
	write(t, client, "into the void")
	eventually(t, "swallowed", func() bool { return p.Stats().Swallowed == 13 })
	p.Set(Faults{Down: Lane{Swallow: true}}) // a stream with a hole stays silent
	write(t, client, "still")
	eventually(t, "swallowed", func() bool { return p.Stats().Swallowed == 18 })
	client.Close()
	expectSilence(t, server)
	write(t, server, "are you there?")
	eventually(t, "swallowed", func() bool { return p.Stats().Swallowed == 32 })
	if s := p.Stats(); s.Open != 1 || s.Up+s.Down != 0 {
		t.Fatalf("%+v", s)
	}
	server.Close()
	eventually(t, "forgotten when both are gone", func() bool { return p.Stats().Open == 0 })
}

func TestSetTarget(t *testing.T) {
	p, client, server := pair(t)
	second, conns := target(t)
	p.SetTarget(second)
	other := dial(t, p)
	write(t, other, "new node")
	moved := <-conns
	defer moved.Close()
	expect(t, moved, "new node")
	write(t, client, "old node")
	expect(t, server, "old node")
}

func TestCloseWhileStalled(t *testing.T) {
	p, client, server := pair(t)
	p.Set(Faults{Up: Lane{Stall: true}, Down: Lane{Delay: time.Hour}})
	write(t, client, strings.Repeat("x", 1<<16))
	write(t, server, "x")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	expectReset(t, client)
	if _, err := net.Dial("tcp", p.Addr()); err == nil {
		t.Fatal("still listening")
	}
	if n := p.Stats().Open; n != 0 {
		t.Fatal("open after Close:", n)
	}
}

// However the gentle faults come and go, a stream arrives whole and in order.
func TestGentleFaultsLoseNothing(t *testing.T) {
	lane := rapid.Custom(func(t *rapid.T) Lane {
		return Lane{
			Stall:  rapid.Bool().Draw(t, "stall"),
			Delay:  time.Duration(rapid.IntRange(0, 3).Draw(t, "ms")) * time.Millisecond,
			Buffer: rapid.IntRange(0, 1<<12).Draw(t, "buffer"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		p, client, server := pair(t)
		sent := make(chan []byte, 1)
		pieces := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 5000), 1, 20).Draw(t, "pieces")
		go func() {
			defer client.CloseWrite()
			for _, b := range pieces {
				if _, err := client.Write(b); err != nil {
					return
				}
			}
		}()
		go func() {
			got, _ := io.ReadAll(server)
			sent <- got
		}()
		for _, f := range rapid.SliceOfN(lane, 0, 10).Draw(t, "faults") {
			p.Set(Faults{Up: f})
		}
		p.Set(Faults{})
		if got := <-sent; !bytes.Equal(got, bytes.Join(pieces, nil)) {
			t.Fatal("torn")
		}
	})
}

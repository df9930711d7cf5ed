package faultproxy

import (
	"errors"
	"io"
	"net"
	"time"
)

// A lane has up to queueLength chunks on their way, about a MiB: enough for a
// delay to cost no throughput, and a bound on what a stall collects.
const (
	chunkSize   = 16 << 10
	queueLength = 64
)

type chunk struct {
	data []byte
	read time.Time
	end  error // set in the last chunk: io.EOF, or what broke the source
}

// lane carries the bytes of one link in one direction.
type lane struct {
	link     *link
	src, dst *net.TCPConn
	chunks   chan chunk
	sent     int64
	torn     bool // bytes were swallowed
}

func newLane(l *link, src, dst *net.TCPConn) *lane {
	return &lane{link: l, src: src, dst: dst, chunks: make(chan chunk, queueLength)}
}

// fault picks this direction's part.
func (a *lane) fault(f Faults) Lane {
	if a.src == a.link.client {
		return f.Up
	}
	return f.Down
}

// read takes from the source until its end; when nothing is forwarded any
// more it reads on and drops, see drainTime.
func (a *lane) read() {
	buffer := make([]byte, chunkSize)
	for {
		n, err := a.src.Read(buffer)
		select {
		case a.chunks <- chunk{append([]byte(nil), buffer[:n]...), time.Now(), err}:
		case <-a.link.ctx.Done():
		}
		if err != nil {
			return
		}
	}
}

// forward writes what was read, as the faults of the moment allow.
func (a *lane) forward() {
	var held []byte
	var end error
	for a.link.ctx.Err() == nil {
		faults, changed := a.link.proxy.current()
		f, chunks := a.fault(faults), a.chunks
		if f.Stall && !f.Swallow {
			chunks = nil
		} else if f.Swallow || len(held) >= f.Buffer || end != nil {
			a.write(held, f)
			held = held[:0]
			if end != nil {
				a.done(end)
				return
			}
		}
		select {
		case c := <-chunks:
			a.link.until(func(f Faults) time.Time { return c.read.Add(a.fault(f).Delay) })
			held, end = append(held, c.data...), c.end
		case <-changed:
		case <-a.link.ctx.Done():
		}
	}
}

// write forwards, swallows or cuts.
func (a *lane) write(b []byte, f Lane) {
	a.torn = a.torn || f.Swallow && len(b) > 0
	if a.torn || len(b) == 0 {
		a.count(len(b))
		return
	}
	last := f.CutAfter > 0 && a.sent+int64(len(b)) >= f.CutAfter
	if last {
		b = b[:max(0, f.CutAfter-a.sent)]
	}
	n, err := a.dst.Write(b)
	a.sent += int64(n)
	a.count(n)
	if last {
		a.link.cutNow()
	} else if err != nil {
		a.done(err)
	}
}

func (a *lane) count(n int) {
	p := a.link.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case a.torn:
		p.stats.Swallowed += int64(n)
	case a.src == a.link.client:
		p.stats.Up += int64(n)
	default:
		p.stats.Down += int64(n)
	}
}

// done passes on how the stream ended. While the lane swallows, the receiver
// never hears of it.
func (a *lane) done(end error) {
	l := a.link
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	switch {
	case l.over:
		return
	case a.torn || a.fault(l.proxy.faults).Swallow:
	case errors.Is(end, io.EOF):
		a.dst.CloseWrite()
	default:
		l.end(true)
	}
	if l.lanes--; l.lanes == 0 {
		l.over = true
		l.cancel()
	}
}

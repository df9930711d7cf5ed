package faultproxy

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// maxHeld bounds what a buffered answer keeps in memory.
const maxHeld = 4 << 20

// held is the body of an answer that Rules.Buffer may hold back. One goroutine
// reads ahead of it, so that a change of the rules frees what is held though
// the target says nothing.
type held struct {
	proxy  *HTTP
	source io.ReadCloser
	chunks chan []byte
	closed chan struct{}
	once   sync.Once
	reader sync.WaitGroup
	end    error // why the source ended; set before chunks is closed

	// Of the one who reads.
	waiting []byte // not free yet
	ready   []byte // may go
	ended   bool
}

func newHeld(h *HTTP, source io.ReadCloser) *held {
	b := &held{proxy: h, source: source, chunks: make(chan []byte), closed: make(chan struct{})}
	b.reader.Go(b.ahead)
	return b
}

func (b *held) ahead() {
	defer close(b.chunks)
	buffer := make([]byte, chunkSize)
	for {
		n, err := b.source.Read(buffer)
		if n > 0 {
			select {
			case b.chunks <- append([]byte(nil), buffer[:n]...):
			case <-b.closed:
				return
			}
		}
		if err != nil {
			b.end = err
			return
		}
	}
}

// Read returns bytes as the rules of the moment free them.
func (b *held) Read(p []byte) (int, error) {
	for len(b.ready) == 0 {
		rules, changed := b.proxy.current()
		if len(b.waiting) > 0 && (b.ended || len(b.waiting) >= rules.Buffer) {
			b.ready, b.waiting = b.waiting, nil
			break
		}
		if b.ended {
			return 0, b.end
		}
		chunks := b.chunks
		if len(b.waiting) >= maxHeld {
			chunks = nil
		}
		select {
		case chunk, more := <-chunks:
			b.waiting, b.ended = append(b.waiting, chunk...), !more
		case <-changed:
		case <-b.closed:
			return 0, io.ErrClosedPipe
		}
	}
	n := copy(p, b.ready)
	b.ready = b.ready[n:]
	return n, nil
}

// Close ends the body and waits for its goroutine.
func (b *held) Close() error {
	b.once.Do(func() { close(b.closed) })
	err := b.source.Close()
	b.reader.Wait()
	return err
}

// upgraded is the target's side of a WebSocket after the handshake.
type upgraded struct {
	io.ReadWriteCloser
	proxy  *HTTP
	torn   atomic.Bool // bytes were swallowed
	closed chan struct{}
	once   sync.Once
}

func newUpgraded(h *HTTP, conn io.ReadWriteCloser) *upgraded {
	u := &upgraded{ReadWriteCloser: conn, proxy: h, closed: make(chan struct{})}
	h.serve.Go(u.cutWhenOld)
	return u
}

// swallows reports whether bytes are dropped now.
func (u *upgraded) swallows() bool {
	if rules, _ := u.proxy.current(); rules.SwallowFrames {
		u.torn.Store(true)
	}
	return u.torn.Load()
}

// Read gives what the target sent. What is swallowed is as if it never came,
// and so is the end after it: the client's side stays open.
func (u *upgraded) Read(p []byte) (int, error) {
	for {
		n, err := u.ReadWriteCloser.Read(p)
		if !u.swallows() {
			return n, err
		}
		if err != nil {
			<-u.closed
			return 0, err
		}
	}
}

// Write sends to the target, or drops.
func (u *upgraded) Write(p []byte) (int, error) {
	if u.swallows() {
		return len(p), nil
	}
	return u.ReadWriteCloser.Write(p)
}

// cutWhenOld does what Rules.CutUpgraded asks for.
func (u *upgraded) cutWhenOld() {
	opened := time.Now()
	for {
		rules, changed := u.proxy.current()
		var due <-chan time.Time
		if rules.CutUpgraded > 0 {
			due = time.After(time.Until(opened.Add(rules.CutUpgraded)))
		}
		select {
		case <-due:
			u.Close()
			return
		case <-changed:
		case <-u.closed:
			return
		}
	}
}

// Close ends the connection, and with it the wait for its age.
func (u *upgraded) Close() error {
	u.once.Do(func() { close(u.closed) })
	return u.ReadWriteCloser.Close()
}

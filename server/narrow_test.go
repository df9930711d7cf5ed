package server

import (
	"bytes"
	"math/rand/v2"
	"net"
	"sync"
)

// narrow is an outlet whose socket has room for a few bytes at a time, or for
// none, or breaks in the middle.
type narrow struct {
	mu     sync.Mutex
	random *rand.Rand
	got    bytes.Buffer
	closed chan struct{}
	once   sync.Once
}

func newNarrow(seed uint64) *narrow {
	return &narrow{random: rand.New(rand.NewPCG(seed, 1)), closed: make(chan struct{})}
}

func (o *narrow) tryWrite(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := min(len(b), o.random.IntN(400))
	if o.random.IntN(4) == 0 {
		n = len(b)
	}
	o.got.Write(b[:n])
	return n, nil
}

func (o *narrow) awaitWritable(f *feed) error {
	select {
	case <-o.closed:
		return net.ErrClosed
	default:
		f.resume()
		return nil
	}
}

// of returns the outlet, or a patient one.
func (o *narrow) of(waits bool) outlet {
	if waits {
		return patient{o}
	}
	return o
}

// patient is a narrow outlet that never takes anything without waiting, like
// TLS.
type patient struct{ narrow *narrow }

func (o patient) write(b []byte) error {
	for len(b) > 0 {
		n, _ := o.narrow.tryWrite(b)
		b = b[n:]
	}
	return nil
}

func (o patient) unacknowledged() (int, bool) { return o.narrow.unacknowledged() }
func (o patient) close()                      { o.narrow.close() }

func (o *narrow) unacknowledged() (int, bool) { return 0, true }
func (o *narrow) close()                      { o.once.Do(func() { close(o.closed) }) }

func (o *narrow) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.got.String()
}

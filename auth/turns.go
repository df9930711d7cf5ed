package auth

import (
	"context"
	"sync"
)

// turns lets one caller at a time pass for each key. It keeps nothing but the
// keys of those who are here.
type turns struct {
	mu   sync.Mutex
	keys map[string]*turn
}

type turn struct {
	room chan struct{} // for the one whose turn it is
	here int           // that one and those who wait
}

// take waits for the caller's turn, which lasts until done is called.
func (t *turns) take(ctx context.Context, key string) (done func(), err error) {
	own := t.come(key)
	select {
	case own.room <- struct{}{}:
		return func() { <-own.room; t.leave(key, own) }, nil
	case <-ctx.Done():
		t.leave(key, own)
		return nil, ctx.Err()
	}
}

func (t *turns) come(key string) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.keys[key]
	if own == nil {
		own = &turn{room: make(chan struct{}, 1)}
		t.keys[key] = own
	}
	own.here++
	return own
}

func (t *turns) leave(key string, own *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if own.here--; own.here == 0 {
		delete(t.keys, key)
	}
}

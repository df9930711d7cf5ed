package auth

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

const (
	// maxTicketBytes bounds the memory; it is enough for some 30,000 tickets
	// of the usual size. Each live one was asked for with a valid token.
	maxTicketBytes = 16 << 20
	// ticketOverhead is about what an entry takes besides its value.
	ticketOverhead = 400
	// sweepEvery bounds how long a dead ticket takes room, and how often all
	// are looked at.
	sweepEvery = 10 * time.Second
)

// MemoryTickets is a [TicketStore] for one node. When it is full it
// refuses new tickets: those handed out are good until their end.
type MemoryTickets struct {
	mu    sync.Mutex
	kept  map[string]memoryTicket
	owned map[string][]string // keys by owner, oldest first
	bytes int
	swept time.Time
}

type memoryTicket struct {
	owner string
	value []byte
	ends  time.Time
}

var _ TicketStore = (*MemoryTickets)(nil)

// NewMemoryTickets returns an empty store. There is nothing to close.
func NewMemoryTickets() *MemoryTickets {
	return &MemoryTickets{kept: make(map[string]memoryTicket), owned: make(map[string][]string)}
}

// PutTicket keeps a value, and drops the owner's oldest that are too many. It
// fails when the store is full.
func (m *MemoryTickets) PutTicket(_ context.Context, owner string, most int, key string, value []byte, life time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.sweep(now)
	m.drop(key)
	for len(m.owned[owner]) >= most {
		m.drop(m.owned[owner][0])
	}
	if m.bytes+len(value)+ticketOverhead > maxTicketBytes {
		return errors.New("there is no room for another ticket")
	}
	m.kept[key] = memoryTicket{owner, value, now.Add(life)}
	m.owned[owner] = append(m.owned[owner], key)
	m.bytes += len(value) + ticketOverhead
	return nil
}

// GetTicket returns a value, or nil.
func (m *MemoryTickets) GetTicket(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t, ok := m.kept[key]; ok && time.Now().Before(t.ends) {
		return t.value, nil
	}
	return nil, nil
}

// TakeTicket returns a value and forgets it.
func (m *MemoryTickets) TakeTicket(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.kept[key]
	m.drop(key)
	if ok && time.Now().Before(t.ends) {
		return t.value, nil
	}
	return nil, nil
}

func (m *MemoryTickets) drop(key string) {
	t, ok := m.kept[key]
	if !ok {
		return
	}
	m.bytes -= len(t.value) + ticketOverhead
	delete(m.kept, key)
	keys := m.owned[t.owner]
	if i := slices.Index(keys, key); i >= 0 {
		keys = slices.Delete(keys, i, i+1)
	}
	if len(keys) > 0 {
		m.owned[t.owner] = keys
	} else {
		delete(m.owned, t.owner)
	}
}

func (m *MemoryTickets) sweep(now time.Time) {
	if now.Sub(m.swept) < sweepEvery {
		return
	}
	m.swept = now
	for key, t := range m.kept {
		if !now.Before(t.ends) {
			m.drop(key)
		}
	}
}

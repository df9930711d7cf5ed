package auth

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"
)

// Records keeps small values that all nodes and all runs of a store share,
// each for a time. All methods may be called from many goroutines at once.
type Records interface {
	// Record returns the key's value, or nil and no error when there is none
	// (any more). The caller does not change it.
	Record(ctx context.Context, key string) ([]byte, error)
	// SwapRecord puts a value, which is not empty, in the place of the old one
	// (nil: of none) for the lifetime, and reports whether it did: not when
	// another one is there by now. Of several callers who bring the same old
	// value, on any nodes, one does. After an error it is open whether it did.
	SwapRecord(ctx context.Context, key string, old, value []byte, life time.Duration) (bool, error)
}

const (
	// maxRecordBytes bounds the memory. A user who used a ticket within its 30 s
	// takes 0.2 KB and at most 2.6 KB, so it is enough for 300,000 of them: some
	// hundredth of what their connections take.
	maxRecordBytes = 64 << 20
	// recordOverhead is about what an entry takes besides its key and value.
	recordOverhead = 100
	// sweepEvery bounds how long a dead record takes room, and how often all
	// are looked at.
	sweepEvery = 10 * time.Second
)

// processRecords are records of this process alone.
type processRecords struct {
	mu    sync.Mutex
	kept  map[string]processRecord
	bytes int
	swept time.Time
}

type processRecord struct {
	value []byte
	ends  time.Time
}

var errRecordsFull = errors.New("too many users have used tickets within half a minute")

func newProcessRecords() *processRecords {
	return &processRecords{kept: make(map[string]processRecord)}
}

func (m *processRecords) Record(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.live(key, time.Now()), nil
}

func (m *processRecords) SwapRecord(_ context.Context, key string, old, value []byte, life time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.sweep(now)
	if !bytes.Equal(m.live(key, now), old) {
		return false, nil
	}
	if m.bytes+recordSize(key, value) > maxRecordBytes {
		return false, errRecordsFull
	}
	m.drop(key)
	m.kept[key] = processRecord{value, now.Add(life)}
	m.bytes += recordSize(key, value)
	return true, nil
}

func (m *processRecords) live(key string, now time.Time) []byte {
	if r, ok := m.kept[key]; ok && now.Before(r.ends) {
		return r.value
	}
	return nil
}

func (m *processRecords) sweep(now time.Time) {
	if now.Sub(m.swept) < sweepEvery {
		return
	}
	m.swept = now
	for key, r := range m.kept {
		if !now.Before(r.ends) {
			m.drop(key)
		}
	}
}

func (m *processRecords) drop(key string) {
	if r, ok := m.kept[key]; ok {
		m.bytes -= recordSize(key, r.value)
		delete(m.kept, key)
	}
}

func recordSize(key string, value []byte) int { return len(key) + len(value) + recordOverhead }

package auth

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// ticketKeys are what tickets are sealed with.
type ticketKeys interface {
	// sealing is the key for a ticket of the claims, for one use or for channels.
	sealing(ctx context.Context, c *Claims, once bool) (ticketKey, error)
	// opening is the key of that ID; none and no error where there is none.
	opening(ctx context.Context, id keyID) (k ticketKey, found bool, err error)
}

const (
	ringRecord = "ticket-keys"
	// ringAge is how old what is known of the ring may be, for all there is to
	// do with it but to say that it lacks a key; that may be ringAgain old, as may the news
	// that the store does not answer. Anybody can ask for keys that there are not.
	ringAge   = time.Minute
	ringAgain = time.Second
	// storeWait is how long the store may take: every ticket waits for it.
	storeWait = 5 * time.Second
	// ringTries is how often a node tries to change the ring that others change.
	ringTries = 20
)

// storedKeys are the keys in a store, which all of its nodes and runs share.
type storedKeys struct {
	records Records
	turn    chan struct{} // has room for who reads the store
	known   atomic.Pointer[knownRing]
}

// knownRing is what came of the last look at the store.
type knownRing struct {
	ring
	keys []ticketKey // of the ring, in its order
	at   time.Time
	err  error
}

func newStoredKeys(records Records) *storedKeys {
	s := &storedKeys{records: records, turn: make(chan struct{}, 1)}
	s.known.Store(&knownRing{})
	return s
}

func (s *storedKeys) sealing(ctx context.Context, _ *Claims, _ bool) (ticketKey, error) {
	k := s.look(ctx, ringAge)
	if len(k.keys) == 0 {
		return ticketKey{}, k.err
	}
	return k.keys[k.ring.sealing(time.Now())], nil
}

func (s *storedKeys) opening(ctx context.Context, id keyID) (ticketKey, bool, error) {
	known := s.look(ctx, ringAge)
	key, found := keyOf(known.keys, id)
	if !found && known.err == nil {
		known = s.look(ctx, ringAgain)
		key, found = keyOf(known.keys, id)
	}
	if found {
		return key, true, nil
	}
	return ticketKey{}, false, known.err
}

func keyOf(keys []ticketKey, id keyID) (ticketKey, bool) {
	for _, k := range keys {
		if k.id == id {
			return k, true
		}
	}
	return ticketKey{}, false
}

// look returns what is known, after a look at the store if that is older. Keys
// that are known are good also when the store does not answer.
func (s *storedKeys) look(ctx context.Context, age time.Duration) *knownRing {
	if k := s.known.Load(); k.younger(age) {
		return k
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		k := *s.known.Load()
		k.err = ctx.Err()
		return &k
	}
	known := s.known.Load()
	if !known.younger(age) {
		// For all who wait: not this one's to give up.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWait)
		defer cancel()
		known = s.refresh(ctx, known)
		s.known.Store(known)
	}
	return known
}

func (k *knownRing) younger(age time.Duration) bool {
	if k.err != nil {
		age = ringAgain
	}
	return time.Since(k.at) < age
}

// refresh brings together what is stored and what is known.
func (s *storedKeys) refresh(ctx context.Context, old *knownRing) *knownRing {
	ring, err := s.agree(ctx, old.ring)
	if err != nil {
		return &knownRing{ring: old.ring, keys: old.keys, at: time.Now(), err: err}
	}
	keys := make([]ticketKey, len(ring))
	for i, k := range ring {
		if keys[i], err = newTicketKey(k.Key); err != nil {
			return &knownRing{ring: old.ring, keys: old.keys, at: time.Now(), err: err}
		}
	}
	return &knownRing{ring: ring, keys: keys, at: time.Now()}
}

// agree returns the ring as it is stored afterwards.
func (s *storedKeys) agree(ctx context.Context, mine ring) (ring, error) {
	for range ringTries {
		stored, err := s.records.Record(ctx, ringRecord)
		if err != nil {
			return nil, err
		}
		theirs, err := parseRing(stored)
		if err != nil {
			return nil, err
		}
		next := theirs.with(mine).renewed(time.Now())
		if bytes.Equal(next.encode(), stored) {
			return next, nil
		}
		swapped, err := s.records.SwapRecord(ctx, ringRecord, stored, next.encode(), keyLife+2*keyTerm)
		if swapped || err != nil {
			return next, err
		}
	}
	return nil, errContended
}

var errContended = errors.New("other nodes change the record again and again")

package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// fetchTimeout is also how long a token with an unknown key ID can wait; a
// WebSocket has five seconds to authenticate.
const fetchTimeout = 4 * time.Second

// pace is how often a key set is read.
type pace struct {
	every time.Duration // when all is well: how long a withdrawn key can live on
	retry time.Duration // after a failure
	pause time.Duration // at most once in so long for unknown key IDs, which anybody can make up
}

var usualPace = pace{every: 5 * time.Minute, retry: 15 * time.Second, pause: 10 * time.Second}

// keySet is a JWK Set (RFC 7517) from a URL or a file, kept in memory and read
// again in the background by a goroutine that close waits for. A set that
// cannot be read any more goes on with the keys it has.
type keySet struct {
	jwkset.Storage
	where  string // the URL or file
	load   func(context.Context) ([]byte, error)
	remote bool // over the network
	find   keyfunc.Keyfunc
	pace   pace
	logger *slog.Logger

	wake   chan struct{}
	ctx    context.Context // ends with close
	cancel context.CancelFunc
	ended  chan struct{}

	reading sync.Mutex // so that an older answer never replaces a newer one

	mu      sync.Mutex
	round   chan struct{} // closed when the reading under way, or else the next one, is over
	read    bool          // it could be read once
	last    time.Time     // of the last attempt
	lastErr error         // of the last attempt
}

// openKeySet reads the set for the first time. A file that cannot be read is
// a mistake in the configuration; a server may just be away.
func openKeySet(ctx context.Context, where string, p pace, logger *slog.Logger) (*keySet, error) {
	load, remote, err := loader(where)
	if err != nil {
		return nil, err
	}
	s := &keySet{
		Storage: jwkset.NewMemoryStorage(),
		where:   where, load: load, remote: remote, pace: p, logger: logger,
		wake:  make(chan struct{}, 1),
		ended: make(chan struct{}),
		round: make(chan struct{}),
	}
	if s.find, err = keyfunc.New(keyfunc.Options{Storage: s}); err != nil {
		return nil, err
	}
	if err := s.again(ctx); err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	go s.run()
	return s, nil
}

func (s *keySet) close() {
	s.cancel()
	<-s.ended
}

// again has the set read anew now. Only a file's failure is one: it is here,
// and somebody has just changed something.
func (s *keySet) again(ctx context.Context) error {
	if err := s.fetch(ctx); err != nil && !s.remote {
		return fmt.Errorf("JWKS %s: %w", s.where, err)
	}
	return nil
}

// run does the reading in the background, and all that tokens ask for.
func (s *keySet) run() {
	defer close(s.ended)
	timer := time.NewTimer(s.next())
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		case <-s.wake:
			if !s.due() { // answered by the reading that was under way
				continue
			}
		}
		s.fetch(s.ctx)
		timer.Reset(s.next())
	}
}

func (s *keySet) next() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lastErr != nil {
		return s.pace.retry
	}
	return s.pace.every
}

func (s *keySet) due() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.last) >= s.pace.pause
}

// fetch replaces the keys by what can be read now, or leaves them.
func (s *keySet) fetch(ctx context.Context) error {
	s.reading.Lock()
	defer s.reading.Unlock()
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	err := s.replace(ctx)
	if err != nil && !errors.Is(err, context.Canceled) {
		s.logger.Error("the JSON Web Key Set cannot be read; the keys known so far stay in use", "cause", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.lastErr = time.Now(), err
	s.read = s.read || err == nil
	close(s.round)
	s.round = make(chan struct{})
	return err
}

func (s *keySet) replace(ctx context.Context) error {
	b, err := s.load(ctx)
	if err != nil {
		return err
	}
	keys, err := s.parse(b)
	if err != nil {
		return err
	}
	return s.Storage.KeyReplaceAll(ctx, keys)
}

// refresh waits for a new reading of the set, shared by all who ask at once;
// or, if the last one is too young for another, says at once how that went.
func (s *keySet) refresh(ctx context.Context) error {
	s.mu.Lock()
	round, err, young := s.round, s.lastErr, time.Since(s.last) < s.pace.pause
	s.mu.Unlock()
	if young {
		return err
	}
	select {
	case s.wake <- struct{}{}:
	default: // somebody asked already
	}
	select {
	case <-round:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastErr
}

// KeyRead finds a key by its ID, if need be after a new reading of the set:
// a server that changes keys may do so at any time.
func (s *keySet) KeyRead(ctx context.Context, id string) (jwkset.JWK, error) {
	key, err := s.Storage.KeyRead(ctx, id)
	if !errors.Is(err, jwkset.ErrKeyNotFound) {
		return key, err
	}
	if err := s.refresh(ctx); err != nil {
		return key, unavailable(ErrUnavailable.Error(), err)
	}
	return s.Storage.KeyRead(ctx, id)
}

// KeyReadAll is for tokens without a key ID.
func (s *keySet) KeyReadAll(ctx context.Context) ([]jwkset.JWK, error) {
	s.mu.Lock()
	read := s.read
	s.mu.Unlock()
	if !read {
		if err := s.refresh(ctx); err != nil {
			return nil, unavailable(ErrUnavailable.Error(), err)
		}
	}
	return s.Storage.KeyReadAll(ctx)
}

// candidates are the keys that the token may be signed with.
func (s *keySet) candidates(ctx context.Context, t *jwt.Token) ([]any, error) {
	found, err := s.find.KeyfuncCtx(ctx)(t)
	switch {
	case errors.Is(err, ErrUnavailable):
		return nil, err
	case err != nil:
		return nil, refuse(ErrInvalid, "the token is signed with a key that is not known here")
	}
	set, ok := found.(jwt.VerificationKeySet)
	if !ok {
		return []any{found}, nil
	}
	keys := make([]any, len(set.Keys))
	for i, key := range set.Keys {
		keys[i] = key
	}
	return keys, nil
}

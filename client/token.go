package client

import "context"

// tokens keeps the token in use, for all requests of a client.
type tokens struct {
	fetch  func(context.Context) (string, error) // nil for a static token
	lock   chan struct{}                         // a mutex whose waiters can give up: fetch may take long
	cached string
}

func newTokens(static string, fetch func(context.Context) (string, error)) *tokens {
	return &tokens{fetch: fetch, lock: make(chan struct{}, 1), cached: static}
}

// get returns the token to use, "" for none.
func (t *tokens) get(ctx context.Context) (string, error) {
	select {
	case t.lock <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-t.lock }()
	if t.cached != "" || t.fetch == nil {
		return t.cached, nil
	}
	token, err := t.fetch(ctx)
	if err != nil {
		return "", &tokenError{err}
	}
	t.cached = token
	return token, nil
}

// drop makes the next get ask for a new token, unless somebody else's request
// has renewed it since. It reports whether there can be a new one.
func (t *tokens) drop(ctx context.Context, used string) bool {
	if t.fetch == nil {
		return false
	}
	select {
	case t.lock <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-t.lock }()
	if t.cached == used {
		t.cached = ""
	}
	return true
}

// tokenError is a failure of Options.TokenFunc: nothing has been sent.
type tokenError struct{ cause error }

func (e *tokenError) Error() string { return "no token: " + e.cause.Error() }
func (e *tokenError) Unwrap() error { return e.cause }

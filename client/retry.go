package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"
)

// outcome is what a failed publish leaves behind.
type outcome int

const (
	refused outcome = iota // not published, and never will be
	passing                // not published, but a later attempt may be
	unknown                // perhaps published: only the same key makes a repetition safe
)

// outcomeOf judges a failed attempt. Only the hub itself can promise that
// nothing was published: a proxy's 503 cannot.
func outcomeOf(err error) outcome {
	var hub *Error
	var token *tokenError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &hub):
		return hubOutcome(hub)
	case errors.As(err, &certificate):
		return refused
	case errors.As(err, &token), dialError(err) != nil:
		return passing
	}
	return unknown
}

func hubOutcome(e *Error) outcome {
	switch e.Code {
	case "unavailable", "rate_limited", "connection_limit":
		return passing
	case "unknown_outcome":
		return unknown
	}
	switch {
	case e.Status == http.StatusTooManyRequests:
		return passing
	case e.Status >= 500, e.Status == http.StatusRequestTimeout, e.Code == "internal":
		return unknown
	}
	return refused
}

// retrier paces the repetitions of one publish.
type retrier struct {
	backoff  *backoff
	keyLife  time.Duration
	longest  time.Duration
	inDoubt  time.Time // when the first attempt of unknown outcome was sent; zero for none
	attempts int
}

func (c *Client) newRetrier() *retrier {
	return &retrier{backoff: c.newBackoff(), keyLife: c.times.keyLife, longest: c.times.longest}
}

// next waits until the attempt may be repeated that was sent then and failed
// with err, and tells log that it will be. It returns an error when it must not
// be, or when ctx ends.
func (r *retrier) next(ctx context.Context, log *slog.Logger, sent time.Time, err error) error {
	r.attempts++
	what := outcomeOf(err)
	if what == unknown && r.inDoubt.IsZero() {
		r.inDoubt = sent
	}
	if what == refused {
		return r.final(err)
	}
	wait := jitter(min(max(r.backoff.next(), after(err)), r.longest))
	if !r.inDoubt.IsZero() && time.Since(r.inDoubt)+wait > r.keyLife {
		return r.final(err)
	}
	if ctx.Err() == nil {
		log.Info("not published yet, trying again", "in", rounded(wait), "cause", err)
	}
	if sleep(ctx, wait) != nil {
		return r.final(interrupted(ctx, err))
	}
	return nil
}

// interrupted says what ended ctx and what had failed before: itself, where the
// end of ctx cut the attempt.
func interrupted(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w (last: %w)", cause, err)
}

// final says with the error that an earlier attempt may have been the one.
func (r *retrier) final(err error) error {
	if r.inDoubt.IsZero() || errors.Is(err, ErrUnknownOutcome) {
		return err
	}
	return fmt.Errorf("%w: perhaps published, after %d attempts: %w", ErrUnknownOutcome, r.attempts, err)
}

// jitter lengthens a wait by up to an eighth, so that those whom the same
// Retry-After sent away do not come back together.
func jitter(d time.Duration) time.Duration {
	return d + rand.N(d/8+1)
}

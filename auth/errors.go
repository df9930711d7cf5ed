package auth

import (
	"errors"
	"fmt"
)

// What can be wrong with a credential. Every error of a [Verifier] that a
// client may see wraps one of these; its Error is a sentence fit for that
// client, and what it wraps besides is for the operator.
var (
	ErrMissing     = errors.New("a token is needed")                                   // 401
	ErrInvalid     = errors.New("the token is not valid")                              // 401
	ErrExpired     = errors.New("the token has expired")                               // 401
	ErrForbidden   = errors.New("the token does not give this right")                  // 403
	ErrTooLarge    = errors.New("the token gives more rights than a ticket can carry") // 413
	ErrTooMany     = errors.New("too many tickets at once")                            // 429
	ErrOrigin      = errors.New("the request comes from an origin not allowed")        // 403
	ErrUnavailable = errors.New("the token cannot be checked just now, try again")     // 503
)

// refusal is a sentinel with a sentence of its own.
type refusal struct {
	kind     error
	sentence string
	cause    error // nil when the sentence says it all
}

func (r *refusal) Error() string { return r.sentence }

func (r *refusal) Unwrap() []error {
	if r.cause == nil {
		return []error{r.kind}
	}
	return []error{r.kind, r.cause}
}

func refuse(kind error, format string, args ...any) error {
	return &refusal{kind: kind, sentence: fmt.Sprintf(format, args...)}
}

// unavailable keeps the cause out of the sentence: addresses of stores and key
// sets are none of a client's business.
func unavailable(sentence string, cause error) error {
	return &refusal{kind: ErrUnavailable, sentence: sentence, cause: cause}
}

package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"runnel/auth"
	"runnel/streams"
)

// The codes of protocol.md, the same in HTTP answers and WebSocket messages.
const (
	codeBadRequest       = "bad_request"
	codeUnauthorized     = "unauthorized"
	codeForbidden        = "forbidden"
	codeNotFound         = "not_found"
	codeMethodNotAllowed = "method_not_allowed"
	codeConflict         = "conflict"
	codeTooLarge         = "too_large"
	codeUnsupportedMedia = "unsupported_media_type"
	codeInvalidData      = "invalid_data"
	codeRateLimited      = "rate_limited"
	codeConnectionLimit  = "connection_limit"
	codeInternal         = "internal"
	codeUnavailable      = "unavailable"
	codeUnknownOutcome   = "unknown_outcome"
)

// The close codes of protocol.md (1001 to 1013: RFC 6455 section 7.4.1 and
// its registry).
const (
	closeDraining        = 1001
	closeWrongFrame      = 1002
	closeNotText         = 1007
	closeTooLarge        = 1009
	closeInternal        = 1011
	closeUnavailable     = 1013
	closeUnauthorized    = 4001
	closeForbidden       = 4003
	closeRateLimited     = 4008
	closeConnectionLimit = 4009
)

// manner is what goes with a code: the HTTP status, the close code where the
// error ends a WebSocket, and when a client may try again (0: it need not be
// told). What a client has to change before another try closes with 4003,
// which says just that.
type manner struct {
	status int
	close  int
	retry  time.Duration
}

var manners = map[string]manner{
	codeBadRequest:       {http.StatusBadRequest, closeForbidden, 0},
	codeUnauthorized:     {http.StatusUnauthorized, closeUnauthorized, 0},
	codeForbidden:        {http.StatusForbidden, closeForbidden, 0},
	codeNotFound:         {http.StatusNotFound, closeForbidden, 0},
	codeMethodNotAllowed: {http.StatusMethodNotAllowed, closeForbidden, 0},
	codeConflict:         {http.StatusConflict, closeForbidden, 0},
	codeTooLarge:         {http.StatusRequestEntityTooLarge, closeTooLarge, 0},
	codeUnsupportedMedia: {http.StatusUnsupportedMediaType, closeForbidden, 0},
	codeInvalidData:      {http.StatusUnprocessableEntity, closeForbidden, 0},
	codeRateLimited:      {http.StatusTooManyRequests, closeRateLimited, 2 * time.Second},
	codeConnectionLimit:  {http.StatusTooManyRequests, closeConnectionLimit, 10 * time.Second},
	codeInternal:         {http.StatusInternalServerError, closeInternal, 0},
	codeUnavailable:      {http.StatusServiceUnavailable, closeUnavailable, 2 * time.Second},
	codeUnknownOutcome:   {http.StatusGatewayTimeout, closeUnavailable, 2 * time.Second},
}

// apiError is what a client is told: a code and a sentence. The cause, if
// there is one, is for the operator's log alone.
type apiError struct {
	manner
	code      string
	message   string
	challenge string // WWW-Authenticate
	cause     error
}

// fault makes an apiError with its code's manner.
func fault(code, message string) *apiError {
	return &apiError{manner: manners[code], code: code, message: message}
}

func badRequest(format string, args ...any) *apiError {
	return fault(codeBadRequest, fmt.Sprintf(format, args...))
}

func forbidden(format string, args ...any) *apiError {
	return fault(codeForbidden, fmt.Sprintf(format, args...))
}

func tooLarge(what string, limit int) *apiError {
	return fault(codeTooLarge, fmt.Sprintf("%s is larger than %d bytes", what, limit))
}

func (e *apiError) Error() string {
	if e.cause != nil {
		return e.message + ": " + e.cause.Error()
	}
	return e.message
}

func (e *apiError) Unwrap() error { return e.cause }

// because returns the error with a cause for the log.
func (e *apiError) because(cause error) *apiError {
	with := *e
	with.cause = cause
	return &with
}

// closing returns the error with another close code.
func (e *apiError) closing(code int) *apiError {
	with := *e
	with.close = code
	return &with
}

// final reports whether coming again as before is of no use. A token that does
// not count any more is not final: with another one it goes on.
func (e *apiError) final() bool { return e.close == closeForbidden }

// errDraining is told to those who come while the node is about to end:
// another one, or this one started anew, will serve them.
var errDraining = fault(codeUnavailable, "this node is shutting down; connect again").closing(closeDraining)

// known turns errors of other packages into what a client is told; the first
// that errors.Is finds counts. Errors without a message here are made for
// clients, and speak for themselves.
var known = []struct {
	err  error
	says *apiError
}{
	{auth.ErrMissing, unauthorized("", "")},
	{auth.ErrExpired, unauthorized("", "expired")},
	{auth.ErrInvalid, unauthorized("", "not valid")},
	{auth.ErrOrigin, fault(codeForbidden, "")},
	{auth.ErrForbidden, fault(codeForbidden, "")},
	{auth.ErrTooLarge, fault(codeTooLarge, "")},
	{auth.ErrTooMany, fault(codeRateLimited, "")},
	{auth.ErrUnavailable, fault(codeUnavailable, "")},
	{streams.ErrBadChannel, fault(codeBadRequest, "")},
	{streams.ErrBadID, fault(codeBadRequest, "")},
	{streams.ErrBadCursor, fault(codeBadRequest, "")},
	{streams.ErrBadPlace, fault(codeBadRequest, "")},
	{streams.ErrKeyReused, fault(codeConflict, streams.ErrKeyReused.Error())},
	{streams.ErrUnknownOutcome, fault(codeUnknownOutcome, "the log did not answer; perhaps the event was published. Repeat it with the same idempotency key")},
	{streams.ErrKeysFull, fault(codeUnavailable, "there is no room for another idempotency key for now: keys are remembered for 5 minutes, in a half of --memory")},
	{streams.ErrUnavailable, fault(codeUnavailable, "the log cannot be reached")},
	{streams.ErrClosed, errDraining},
	{context.Canceled, fault(codeUnavailable, "the request was given up")},
	{context.DeadlineExceeded, fault(codeUnavailable, "this took too long")},
}

// unauthorized asks for a token as RFC 6750 section 3 says: wrong says what is
// wrong with the one that was given, "" where none was.
func unauthorized(message, wrong string) *apiError {
	e := fault(codeUnauthorized, message)
	e.challenge = `Bearer realm="runnel"`
	if wrong != "" {
		e.challenge += `, error="invalid_token", error_description="` + wrong + `"`
	}
	return e
}

// describe returns what a client is told about err. What nobody foresaw is
// "internal", with err as its cause.
func describe(err error) *apiError {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e
	}
	for _, k := range known {
		if errors.Is(err, k.err) {
			e := k.says.because(err)
			if e.message == "" {
				e.message = err.Error()
			}
			return e
		}
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge("the body", int(e.Limit))
	}
	if e, ok := errors.AsType[*echo.HTTPError](err); ok {
		return describeRouting(e)
	}
	return fault(codeInternal, "internal error; the log has the cause under the request ID").because(err)
}

func describeRouting(e *echo.HTTPError) *apiError {
	switch e.Code {
	case http.StatusNotFound:
		return fault(codeNotFound, "there is nothing here")
	case http.StatusMethodNotAllowed:
		return fault(codeMethodNotAllowed, "this method is not for this address; the Allow header names those that are")
	default:
		return fault(codeInternal, "internal error; the log has the cause under the request ID").because(e)
	}
}

package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Error is what a hub answered instead of doing what it was asked.
type Error struct {
	Code      string        // one of the protocol's codes; "" when the answer was not a hub's
	Message   string        // a sentence for people
	RequestID string        // names the request in the hub's log
	Status    int           // of the HTTP answer; 0 for one item of a batch and within a feed
	After     time.Duration // the hub's Retry-After, 0 for none
}

// The protocol's codes, for errors.Is.
var (
	ErrBadRequest       = &Error{Code: "bad_request"}
	ErrUnauthorized     = &Error{Code: "unauthorized"}
	ErrForbidden        = &Error{Code: "forbidden"}
	ErrNotFound         = &Error{Code: "not_found"}
	ErrMethodNotAllowed = &Error{Code: "method_not_allowed"}
	ErrConflict         = &Error{Code: "conflict"}
	ErrTooLarge         = &Error{Code: "too_large"}
	ErrUnsupportedType  = &Error{Code: "unsupported_media_type"}
	ErrInvalidData      = &Error{Code: "invalid_data"}
	ErrRateLimited      = &Error{Code: "rate_limited"}
	ErrConnectionLimit  = &Error{Code: "connection_limit"}
	ErrUnavailable      = &Error{Code: "unavailable"}
	ErrUnknownOutcome   = &Error{Code: "unknown_outcome"}
)

// Error returns code and message.
func (e *Error) Error() string {
	switch {
	case e.Code == "":
		return e.Message
	case e.Message == "":
		return e.Code
	}
	return e.Code + ": " + e.Message
}

// Is reports whether target is an *Error of the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && e.Code != ""
}

// maxErrorBody bounds what is read of an answer that is not a success.
const maxErrorBody = 64 << 10

// wireError is an error as the hub writes it: bare in batches and feeds,
// within {"error":…} as a body.
type wireError struct {
	Code      string     `json:"code"`
	Message   string     `json:"message"`
	RequestID string     `json:"request_id"`
	Error     *wireError `json:"error"`
}

func (w *wireError) toError() *Error {
	if w.Error != nil {
		w = w.Error
	}
	return &Error{Code: w.Code, Message: w.Message, RequestID: w.RequestID}
}

// responseError reads the error out of an answer. It leaves closing the body
// to the caller.
func responseError(r *http.Response) *Error {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxErrorBody)) // a cut body leaves the status to speak
	var w wireError
	e := &Error{}
	if json.Unmarshal(body, &w) == nil {
		e = w.toError()
	}
	if e.Code == "" {
		e.Message = notAHub(r)
	}
	e.Status = r.StatusCode
	e.After = retryAfter(r.Header.Get("Retry-After"))
	return e
}

func notAHub(r *http.Response) string {
	if to := r.Header.Get("Location"); to != "" {
		return fmt.Sprintf("%s to %s, which is not followed", r.Status, to)
	}
	return fmt.Sprintf("%s, not from a hub (%s)", r.Status, strings.TrimSpace(r.Header.Get("Content-Type")))
}

// retryAfter reads both forms of RFC 9110 section 10.2.3.
func retryAfter(v string) time.Duration {
	if s, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(s) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, time.Until(t))
	}
	return 0
}

// unreachableError is a connection that did not come about: nothing was sent.
type unreachableError struct {
	hub    string
	before bool // the hub has been reached before
	cause  *net.OpError
}

func (e *unreachableError) Error() string {
	why := e.cause.Err
	if call := (*os.SyscallError)(nil); errors.As(why, &call) {
		why = call.Err
	}
	if e.before {
		return fmt.Sprintf("cannot reach %s (%v)", e.hub, why)
	}
	return fmt.Sprintf("cannot reach %s; is the hub running? (%v)", e.hub, why)
}

func (e *unreachableError) Unwrap() error { return e.cause }

// dialError returns the part of err that says that no connection came about,
// nil where one did.
func dialError(err error) *net.OpError {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return op
	}
	return nil
}

func after(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.After
	}
	return 0
}

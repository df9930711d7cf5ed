package streams

import (
	"context"
	"errors"
)

// ErrBadPlace is returned for a place in a list of channels that no list gave.
var ErrBadPlace = errors.New("after= takes what the page before gave as next")

// Listing asks for a page of the channels that a log has.
type Listing struct {
	Prefix string // of their names
	After  string // the Next of the page before; "" for the first
	Limit  int    // about so many channels
}

// Stored is a page of the channels that a log has: those that ever had an
// event and are not forgotten. A channel that there was all the while is on one of the
// pages at least; one that comes or goes meanwhile may be.
type Stored struct {
	Channels []StoredChannel // sorted by name
	Next     string          // where the next page begins; "" for the last one
}

// StoredChannel is what a log says of a channel in a list.
type StoredChannel struct {
	Name   string
	Last   ID // the last ID assigned
	Events int
}

// Stored lists the channels that the log has, followed or not; see [Log].
func (b *Broker) Stored(ctx context.Context, l Listing) (Stored, error) {
	page, err := b.log.Stored(ctx, l)
	if err != nil && !errors.Is(err, ErrBadPlace) {
		b.logFailed("list channels", l.Prefix, err)
	}
	return page, err
}

package auth

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"
)

const (
	// maxUses is how many uses of a user's tickets are remembered at a time: for
	// one more he waits, and nobody else does. A ticket for each of the connections that
	// he may have, five times over, within half a minute.
	maxUses = 100
	// useMargin is for the clocks of nodes: one that is behind takes a ticket
	// for younger than the one that used it up.
	useMargin = 10 * time.Second
	// useTries is more than a user has requests under way.
	useTries = 50

	useIDLen = 16
	useLen   = 8 + useIDLen
)

// useUp remembers that the ticket was used, for as long as it could be used
// again. Of any number of callers, on any node, one succeeds.
func (v *Verifier) useUp(ctx context.Context, t sealedTicket, c *contents) error {
	key := "ticket-uses:" + hashed(c.Subject)
	id := t.nonce()[:useIDLen]
	for range useTries {
		old, err := v.records.Record(ctx, key)
		if err != nil {
			return v.storeAway(err)
		}
		now := time.Now()
		uses := liveUses(old, now)
		switch {
		case used(uses, id):
			return errNoTicket
		case len(uses) >= maxUses*useLen:
			return refuse(ErrTooMany, "the user used %d tickets within half a minute; try again later", maxUses)
		}
		until := c.ends().Add(useMargin)
		uses = append(binary.BigEndian.AppendUint64(uses, uint64(until.UnixMilli())), id...)
		swapped, err := v.records.SwapRecord(ctx, key, old, uses, ticketLife+useMargin)
		if err != nil {
			return v.storeAway(err)
		}
		if swapped {
			return nil
		}
	}
	return v.storeAway(errContended)
}

// A record of uses has for each until when it counts, in ms, and 16 random
// bytes of the ticket.

// liveUses returns a copy of those that count still.
func liveUses(b []byte, now time.Time) []byte {
	live := make([]byte, 0, len(b)+useLen)
	for ; len(b) >= useLen; b = b[useLen:] {
		if binary.BigEndian.Uint64(b) >= uint64(now.UnixMilli()) {
			live = append(live, b[:useLen]...)
		}
	}
	return live
}

func used(uses, id []byte) bool {
	for ; len(uses) >= useLen; uses = uses[useLen:] {
		if bytes.Equal(uses[8:useLen], id) {
			return true
		}
	}
	return false
}

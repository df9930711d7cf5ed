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
	// useTries is one more than other nodes can come between: with each time
	// that they do, there is a use more, or the first after all have ended.
	useTries = maxUses + 2

	useIDLen = 16
	useLen   = 8 + useIDLen
)

// useUp remembers that the ticket was used, for as long as it could be used
// again. Of any number of callers, on any node, one succeeds. A user's tickets take
// turns in a node: at once, each change would undo all the others.
func (v *Verifier) useUp(ctx context.Context, t sealedTicket, c *contents) error {
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	key := "ticket-uses:" + hashed(c.Subject)
	done, err := v.users.take(ctx, key)
	if err != nil {
		return v.storeAway(err)
	}
	defer done()
	for range useTries {
		if used, err := v.tryUse(ctx, key, t.nonce()[:useIDLen], c.ends().Add(useMargin)); used || err != nil {
			return err
		}
	}
	return v.storeAway(errContended)
}

// tryUse writes the use down, which counts for so long, unless the record
// changes meanwhile.
func (v *Verifier) tryUse(ctx context.Context, key string, id []byte, until time.Time) (bool, error) {
	old, err := v.records.Record(ctx, key)
	if err != nil {
		return false, v.storeAway(err)
	}
	uses := liveUses(old, time.Now())
	switch {
	case used(uses, id):
		return false, errNoTicket
	case len(uses) >= maxUses*useLen:
		return false, refuse(ErrTooMany, "the user used %d tickets within half a minute; try again later", maxUses)
	}
	uses = append(binary.BigEndian.AppendUint64(uses, uint64(until.UnixMilli())), id...)
	swapped, err := v.records.SwapRecord(ctx, key, old, uses, ticketLife+useMargin)
	if err != nil {
		return false, v.storeAway(err)
	}
	return swapped, nil
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

package auth

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	// keyTerm is how long a key seals before the next one does.
	keyTerm = 30 * 24 * time.Hour
	// keyLead is how long before that the next one is there, so that every node
	// has it by then, also one that could not read the store for hours.
	keyLead = 24 * time.Hour
	// keyLife is how long after that a key opens: as long as its tickets live,
	// and a lead more for clocks.
	keyLife = maxTicketLife + keyLead
	// maxRing is twice as many as there are by these times: nodes that lost
	// their store at once each make one. Beyond it the oldest go.
	maxRing = 2 * int(keyLife/keyTerm+3)
)

// ring is the keys that the nodes of a store share, by when they begin to seal.
type ring []ringKey

type ringKey struct {
	Key  []byte    `json:"key"`
	From time.Time `json:"from"`
}

var errBadRing = fmt.Errorf("the record %q in the store cannot be read", ringRecord)

// parseRing reads what encode wrote; of nothing it makes an empty ring.
func parseRing(b []byte) (r ring, err error) {
	if len(b) == 0 {
		return nil, nil
	}
	if json.Unmarshal(b, &r) != nil {
		return nil, errBadRing
	}
	for _, k := range r {
		if len(k.Key) != chacha20poly1305.KeySize {
			return nil, errBadRing
		}
	}
	return r.newest(), nil
}

func (r ring) newest() ring { return r[max(0, len(r)-maxRing):] }

func (r ring) encode() []byte {
	b, _ := json.Marshal(r) // bytes and times in their range: does not fail
	return b
}

// with has the keys of both: a store that lost some gets them back from the
// nodes that know them.
func (r ring) with(others ring) ring {
	all := slices.Clone(r)
	for _, k := range others {
		if !slices.ContainsFunc(r, func(have ringKey) bool { return bytes.Equal(have.Key, k.Key) }) {
			all = append(all, k)
		}
	}
	slices.SortStableFunc(all, func(a, b ringKey) int { return cmp.Or(a.From.Compare(b.From), bytes.Compare(a.Key, b.Key)) })
	return all.newest()
}

// renewed leaves out the keys whose tickets have all ended, and has one more
// when the newest has nearly had its term.
func (r ring) renewed(now time.Time) ring {
	for len(r) > 1 && now.After(r[1].From.Add(keyLife)) {
		r = r[1:]
	}
	switch {
	case len(r) == 0:
		return ring{{newSecretKey(), now.UTC().Truncate(time.Second)}}
	case now.Before(r[len(r)-1].From.Add(keyTerm - keyLead)):
		return r
	}
	from := r[len(r)-1].From.Add(keyTerm)
	if soon := now.Add(keyLead).UTC().Truncate(time.Second); from.Before(soon) {
		from = soon
	}
	return append(slices.Clone(r), ringKey{newSecretKey(), from}).newest()
}

// sealing is which of the keys seals now: the newest that has begun.
func (r ring) sealing(now time.Time) int {
	i := len(r) - 1
	for i > 0 && r[i].From.After(now) {
		i--
	}
	return i
}

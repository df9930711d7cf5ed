package auth

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"sync/atomic"
)

// processKeys are the keys of a hub whose store keeps nothing. Tickets for
// channels outlive the process where there is a configured secret to make a
// key from; the others end with it, as what is known of their use does.
type processKeys struct {
	own   ticketKey
	rules *atomic.Pointer[rules]
}

func newProcessKeys(rules *atomic.Pointer[rules]) (*processKeys, error) {
	own, err := newTicketKey(newSecretKey())
	return &processKeys{own, rules}, err
}

func (p *processKeys) sealing(_ context.Context, c *Claims, once bool) (ticketKey, error) {
	made := p.rules.Load().ticketKeys
	if once || len(made) == 0 {
		return p.own, nil
	}
	for _, k := range made {
		if k.source == c.source { // ends with it
			return k, nil
		}
	}
	return made[0], nil
}

func (p *processKeys) opening(_ context.Context, id keyID) (ticketKey, bool, error) {
	if id == p.own.id {
		return p.own, true, nil
	}
	k, found := keyOf(p.rules.Load().ticketKeys, id)
	return k, found, nil
}

// madeTicketKeys makes keys from the configured secrets. Who has a ticket can
// try secrets on it for as long as they like, so short API keys do not count.
func madeTicketKeys(c Config) (keys []ticketKey, err error) {
	for _, s := range c.Secrets {
		if keys, err = appendMade(keys, s, c.source("secret", s)); err != nil {
			return nil, err
		}
	}
	for _, k := range c.APIKeys {
		if len(k.Key) < minSecret {
			continue
		}
		if keys, err = appendMade(keys, []byte(k.Key), ""); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

func appendMade(keys []ticketKey, secret []byte, source string) ([]ticketKey, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "runnel ticket key", sha256.Size)
	if err != nil {
		return nil, err
	}
	k, err := newTicketKey(key)
	k.source = source
	return append(keys, k), err
}

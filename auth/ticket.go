package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

const (
	// ticketLife is for the way from a page's script to its connection.
	ticketLife = 30 * time.Second
	// demoTicketLife is how long a demo mode ticket for channels claims to
	// last: there is no token that it could end with.
	demoTicketLife = 24 * time.Hour
	// maxTickets is how many tickets a user has at most; for one more the
	// oldest ends. Five for each connection that he may have.
	maxTickets = 100
	// maxTicketChannels is what one feed can carry.
	maxTicketChannels = 32
)

// A ticket is its kind and 32 random bytes in base64url. The kind says which
// of the store's methods to call; as the whole is hashed, a ticket whose kind
// was changed is another ticket.
const (
	singleUse   = 's'
	forChannels = 'c'
	ticketLen   = 1 + 43
)

// TicketStore keeps what tickets stand for. All methods may be called from
// many goroutines at once.
type TicketStore interface {
	// PutTicket keeps a value for the lifetime, at least a second. Of an owner
	// it keeps the newest so many only: others' tickets are not for him to
	// crowd out.
	PutTicket(ctx context.Context, owner string, most int, key string, value []byte, life time.Duration) error
	// GetTicket returns the value, or nil and no error when there is none (any more).
	GetTicket(ctx context.Context, key string) ([]byte, error)
	// TakeTicket returns the value and forgets it, in one step: of any number
	// of callers, on any node, one gets it.
	TakeTicket(ctx context.Context, key string) ([]byte, error)
}

// stored is what a ticket stands for.
type stored struct {
	Subject   string    `json:"sub"`
	Expires   time.Time `json:"exp"`
	Device    string    `json:"device,omitempty"`
	Admin     bool      `json:"admin,omitempty"`
	Subscribe Patterns  `json:"subscribe,omitempty"`
	Publish   Patterns  `json:"publish,omitempty"`
	Presence  Patterns  `json:"presence,omitempty"`
	Channels  []string  `json:"channels,omitempty"`
	Source    string    `json:"source"`
}

// IssueTicket makes a ticket that stands for the claims in a URL, on every
// node that shares the store. With channels nil it is good for one request
// within 30 seconds (less where the token ends earlier). With channels, 1 to
// 32, it reads only these and is good until the token ends: EventSource comes
// back to the same URL. Either way, what it opens ends when the token does.
//
// A user has the newest 100 tickets; older ones end.
//
// A channel that the claims may not read is ErrForbidden, as is a ticket for
// an API key, or for claims that came from a ticket themselves.
func (v *Verifier) IssueTicket(ctx context.Context, c *Claims, channels []string) (ticket string, expiresIn time.Duration, err error) {
	if err := mayIssue(c, channels); err != nil {
		return "", 0, err
	}
	kind, life := byte(singleUse), ticketLife
	if channels != nil {
		kind, life = forChannels, demoTicketLife
	}
	ticket = newTicket(kind)
	if c.Demo { // in demo mode nobody looks at it, so nothing is kept
		return ticket, life, nil
	}
	left := time.Until(c.Expires)
	if channels != nil || left < life {
		life = left
	}
	if life < time.Second {
		return "", 0, expired(c.Expires)
	}
	value, err := json.Marshal(storedFrom(c, channels))
	if err != nil {
		return "", 0, err
	}
	if err := v.tickets.PutTicket(ctx, hashed(c.Subject), maxTickets, hashed(ticket), value, life); err != nil {
		return "", 0, v.storeAway(err)
	}
	return ticket, life, nil
}

func mayIssue(c *Claims, channels []string) error {
	switch {
	case c.APIKey:
		return refuse(ErrForbidden, "an API key gets no tickets, a user's token does")
	case c.ticket:
		return refuse(ErrForbidden, "a ticket gets no further tickets, only the token does")
	case channels != nil && len(channels) == 0, len(channels) > maxTicketChannels:
		return refuse(ErrForbidden, "a ticket is for 1 to %d channels, or for all that the token allows", maxTicketChannels)
	}
	for _, channel := range channels {
		if !c.MaySubscribe(channel) {
			return refuse(ErrForbidden, "the token does not allow to read the channel %q", channel)
		}
	}
	return nil
}

func newTicket(kind byte) string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return string(kind) + base64.RawURLEncoding.EncodeToString(b[:])
}

// hashed is what the store knows a ticket by, so that reading it gives nobody
// one, and a user, whose name may be of any length.
func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// redeem finds what a ticket stands for.
func (v *Verifier) redeem(ctx context.Context, r *rules, ticket string) (*Claims, error) {
	value, err := v.lookUp(ctx, ticket)
	if err != nil {
		return nil, v.storeAway(err)
	}
	if value == nil {
		return nil, refuse(ErrInvalid, "the ticket is unknown, used or too old")
	}
	var s stored
	if err := json.Unmarshal(value, &s); err != nil {
		return nil, v.storeAway(err)
	}
	c := s.claims()
	switch {
	case !time.Now().Before(c.Expires):
		return nil, expired(c.Expires)
	case !r.knows(c.source):
		return nil, refuse(ErrInvalid, "the ticket's token is not accepted any more")
	}
	return c, nil
}

func (v *Verifier) lookUp(ctx context.Context, ticket string) ([]byte, error) {
	switch {
	case len(ticket) != ticketLen:
		return nil, nil
	case ticket[0] == singleUse:
		return v.tickets.TakeTicket(ctx, hashed(ticket))
	case ticket[0] == forChannels:
		return v.tickets.GetTicket(ctx, hashed(ticket))
	}
	return nil, nil
}

// storeAway logs at most one line a second: anybody can ask for tickets that
// there are not.
func (v *Verifier) storeAway(cause error) error {
	if !errors.Is(cause, context.Canceled) { // the client has gone
		v.outages.Do(func() { v.logger.Warn("the ticket store does not answer as it should", "cause", cause) })
	}
	return unavailable("tickets cannot be handled just now, try again", cause)
}

func storedFrom(c *Claims, channels []string) stored {
	s := stored{Subject: c.Subject, Expires: c.Expires, Device: c.Device, Channels: slices.Clone(channels), Source: c.source}
	if channels == nil {
		s.Admin, s.Subscribe, s.Publish, s.Presence = c.Admin, c.Subscribe, c.Publish, c.Presence
	}
	return s
}

func (s *stored) claims() *Claims {
	return &Claims{
		Subject: s.Subject, Expires: s.Expires, Device: s.Device, Admin: s.Admin,
		Subscribe: s.Subscribe, Publish: s.Publish, Presence: s.Presence,
		Channels: s.Channels, ticket: true, source: s.Source,
	}
}

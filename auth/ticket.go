package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"runnel/strict"
)

const (
	// ticketLife is for the way from a page's script to its connection.
	ticketLife = 30 * time.Second
	// maxTicketLife bounds how long keys have to be kept; an EventSource comes
	// back to its URL for as long as its page is open.
	maxTicketLife = 365 * 24 * time.Hour
	// demoTicketLife is how long a demo mode ticket for channels claims to
	// last: there is no token that it could end with.
	demoTicketLife = 24 * time.Hour
	// maxTicketChannels is what one feed can carry.
	maxTicketChannels = 32
)

// contents is what is sealed in a ticket.
type contents struct {
	Subject   string     `json:"sub"`
	Expires   int64      `json:"exp"` // of the token, in s
	Ends      int64      `json:"end"` // of the ticket, in ms
	Source    string     `json:"src"`
	Device    string     `json:"dev,omitempty"`
	Admin     bool       `json:"adm,omitempty"`
	Subscribe Patterns   `json:"sbs,omitempty"`
	Publish   Patterns   `json:"pub,omitempty"`
	Presence  Patterns   `json:"prs,omitempty"`
	Channels  channelSet `json:"chn,omitempty"` // nil: for one use
}

// IssueTicket makes a ticket that stands for the claims in a URL, on every
// node that shares the records, also after a restart. Nothing is kept of it:
// what it stands for is sealed in it. With channels nil it is good for one
// request within 30 seconds (less where the token ends earlier). With
// channels, 1 to 32, it reads only these and is good until the token ends, a
// year at most: EventSource comes back to the same URL. Either way, what it
// opens ends when the token does.
//
// A channel that the claims may not read is ErrForbidden, as is a ticket for
// an API key, or for claims that came from a ticket themselves. Rights that
// outgrow a ticket are ErrTooLarge; those for channels never do.
func (v *Verifier) IssueTicket(ctx context.Context, c *Claims, channels []string) (ticket string, expiresIn time.Duration, err error) {
	if err := mayIssue(c, channels); err != nil {
		return "", 0, err
	}
	once := channels == nil
	if c.Demo { // in demo mode nobody looks at it
		return demoTicket(once)
	}
	life := min(time.Until(c.Expires), maxTicketLife)
	if once {
		life = min(life, ticketLife)
	}
	if life < time.Second {
		return "", 0, expired(c.Expires)
	}
	key, err := v.ticketKeys.sealing(ctx, c, once)
	if err != nil {
		return "", 0, v.storeAway(err)
	}
	ticket = key.seal(contentsOf(c, channels, time.Now().Add(life)).encode())
	if len(ticket) > maxTicket {
		return "", 0, refuse(ErrTooLarge, "the token gives more rights than a ticket of %d characters can carry: ask for one that names channels, or for a token with fewer patterns", maxTicket)
	}
	return ticket, life, nil
}

func demoTicket(once bool) (ticket string, life time.Duration, err error) {
	if life = demoTicketLife; once {
		life = ticketLife
	}
	return ticketCode.EncodeToString(newSecretKey()), life, nil
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
			return refuse(ErrForbidden, "the token does not allow to read the channel %s", strict.Quote(channel))
		}
	}
	return nil
}

// hashed stands for a user, whose name may be of any length.
func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// errNoTicket does not say which it is: whoever tries tickets out is told nothing.
var errNoTicket = refuse(ErrInvalid, "the ticket is unknown, used or too old")

// redeem finds what a ticket stands for.
func (v *Verifier) redeem(ctx context.Context, r *rules, text string) (*Claims, error) {
	t, s, err := v.unseal(ctx, text)
	if err != nil {
		return nil, err
	}
	now, c := time.Now(), s.claims()
	switch {
	case !now.Before(c.Expires):
		return nil, expired(c.Expires)
	case !now.Before(s.ends()):
		return nil, errNoTicket
	case !r.knows(c.source):
		return nil, refuse(ErrInvalid, "the ticket's token is not accepted any more")
	}
	if s.Channels == nil {
		if err := v.useUp(ctx, t, s); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (v *Verifier) unseal(ctx context.Context, text string) (sealedTicket, *contents, error) {
	t, ok := parseTicket(text)
	if !ok {
		return nil, nil, errNoTicket
	}
	key, found, err := v.ticketKeys.opening(ctx, t.key())
	if err != nil {
		return nil, nil, v.storeAway(err)
	}
	if !found {
		return nil, nil, errNoTicket
	}
	content, ok := t.open(key)
	s := new(contents)
	if !ok || json.Unmarshal(content, s) != nil {
		return nil, nil, errNoTicket
	}
	return t, s, nil
}

// storeAway logs at most one line a second: anybody can ask for tickets that
// there are not.
func (v *Verifier) storeAway(cause error) error {
	if !errors.Is(cause, context.Canceled) { // the client has gone
		v.outages.Do(func() { v.logger.Warn("tickets cannot be handled", "cause", cause) })
	}
	return unavailable("tickets cannot be handled just now, try again", cause)
}

func contentsOf(c *Claims, channels []string, ends time.Time) *contents {
	s := &contents{
		Subject: c.Subject, Expires: c.Expires.Unix(), Ends: ends.UnixMilli(), Source: c.source, Device: c.Device,
		Channels: newChannelSet(channels),
	}
	if channels == nil {
		s.Admin, s.Subscribe, s.Publish, s.Presence = c.Admin, c.Subscribe, c.Publish, c.Presence
	}
	return s
}

// encode does not escape for HTML, which would make six bytes of one.
func (s *contents) encode() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // strings, numbers and bytes: does not fail
	return b.Bytes()
}

func (s *contents) ends() time.Time { return time.UnixMilli(s.Ends) }

func (s *contents) claims() *Claims {
	return &Claims{
		Subject: s.Subject, Expires: time.Unix(s.Expires, 0).UTC(), Device: s.Device, Admin: s.Admin,
		Subscribe: s.Subscribe, Publish: s.Publish, Presence: s.Presence,
		only: s.Channels, ticket: true, source: s.Source,
	}
}

package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"runnel/auth"
	"runnel/streams"
	"runnel/strict"
)

// publication is what a client asks to have published, by whatever way: a
// request of its own, an item of a batch, a WebSocket message.
type publication struct {
	channel   string
	event     string
	data      []byte
	text      bool // data is text, not JSON
	valid     bool // data was read out of valid JSON
	ephemeral bool
	exclude   string
	key       *string // idempotency key, nil for none
}

const (
	maxEventType = 128
	maxKey       = 256
)

// draft turns a publication into what the log takes, or says what is wrong
// with it; with the claims' rights too.
func (s *Server) draft(claims *auth.Claims, p *publication) (streams.Draft, error) {
	d := streams.Draft{Text: p.text, Exclude: p.exclude, Ephemeral: p.ephemeral}
	if !claims.APIKey {
		d.From = claims.Subject
	}
	err := mayPublish(claims, p.channel)
	if err != nil {
		return d, err
	}
	if d.Type, err = eventType(p.event); err != nil {
		return d, err
	}
	if err = mayExclude(claims, p.exclude); err != nil {
		return d, err
	}
	if d.Key, err = draftKey(claims, p.key); err != nil {
		return d, err
	}
	d.Data, err = s.draftData(p)
	return d, err
}

// draftData checks the data and makes every line break a LF, as in SSE.
func (s *Server) draftData(p *publication) ([]byte, error) {
	switch {
	case len(p.data) == 0:
		return nil, badRequest("there is no data")
	case len(p.data) > s.limits.Data:
		return nil, tooLarge("the data", s.limits.Data)
	case p.text && !utf8.Valid(p.data):
		return nil, badRequest("the text is not UTF-8")
	case !p.text:
		if err := p.checkJSON(); err != nil {
			return nil, err
		}
	}
	if bytes.IndexByte(p.data, '\r') < 0 {
		return p.data, nil
	}
	data := bytes.ReplaceAll(p.data, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(data, []byte("\r"), []byte("\n")), nil
}

// checkJSON says what is wrong with the data as a JSON value.
func (p *publication) checkJSON() error {
	if !p.valid {
		return checkJSON(p.data)
	}
	return checkNesting(p.data)
}

// eventType returns the type as a Draft has it, "" for the default. An
// EventSource dispatches "open" and "error" itself; "runnel." is the hub's.
func eventType(name string) (string, error) {
	switch {
	case name == "" || name == defaultType:
		return "", nil
	case len(name) > maxEventType:
		return "", badRequest("an event type has at most %d bytes", maxEventType)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unseen) || strings.TrimSpace(name) != name:
		return "", badRequest("an event type is UTF-8 without control and format characters and line or paragraph separators, and without white space at its ends")
	case name == "open" || name == "error" || strings.HasPrefix(name, "runnel."):
		return "", badRequest("the event type %s is reserved", strict.Quote(name))
	}
	return name, nil
}

// unseen reports characters that make two types look the same, or turn what
// stands around them: control, format, line and paragraph separators.
func unseen(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }

// mayExclude lets users leave out their own connections only: else anybody
// could hide events from others.
func mayExclude(claims *auth.Claims, connection string) error {
	if connection == "" {
		return nil
	}
	if _, ok := parseConnectionID(connection); !ok {
		return forbidden("exclude has to be the ID of one of your connections")
	}
	if !claims.APIKey && !connectionBelongs(connection, claims.Subject) {
		return forbidden("exclude has to be the ID of one of your connections")
	}
	return nil
}

// draftKey makes the idempotency key one of its publisher, and of one length
// whatever it was: logs keep it.
func draftKey(claims *auth.Claims, key *string) (string, error) {
	if key == nil {
		return "", nil
	}
	if !goodKey(*key) {
		return "", badRequest("an idempotency key is 1 to %d printable ASCII characters", maxKey)
	}
	publisher := claims.Publisher()
	h := sha256.New()
	h.Write([]byte(strconv.Itoa(len(publisher)) + ":" + publisher + *key))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18]), nil
}

func goodKey(key string) bool {
	if key == "" || len(key) > maxKey {
		return false
	}
	for i := range len(key) {
		if key[i] < ' ' || key[i] > '~' {
			return false
		}
	}
	return true
}

// publish appends the drafts to the channel and counts them. When the answer
// did not come in time, the log says whether anybody can know what became of
// them.
func (s *Server) publish(ctx context.Context, channel string, drafts ...streams.Draft) ([]streams.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limits.PublishWait)
	defer cancel()
	results, err := s.broker.Publish(ctx, channel, drafts...)
	s.metrics.publishes(results, drafts, err)
	return results, err
}

// publishShares is publish for a batch's shares: it sets their results.
func (s *Server) publishShares(ctx context.Context, shares []*streams.Share) {
	ctx, cancel := context.WithTimeout(ctx, s.limits.PublishWait)
	defer cancel()
	s.broker.PublishShares(ctx, shares)
	for _, share := range shares {
		s.metrics.publishes(share.Results, share.Drafts, share.Err)
	}
}

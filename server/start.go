package server

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"runnel/streams"
)

// beginning is where a request wants its feed to begin.
type beginning struct {
	given    string               // the position or cursor, as the client gave it
	position streams.ID           // of the only channel; zero: none
	cursor   *streams.Cursor      // positions of several channels
	after    map[string]beginning // of channels that have their own
	resumed  bool                 // the position is the header's: newer than what stands in the URL
	other    streams.Start        // for channels without a position
	named    bool                 // anything at all was said
}

// maxRewind is how many events a feed may be rewound: a page of history.
const maxRewind = maxPage

// readBeginning takes the first start that is given: the Last-Event-ID header,
// after= for its channel, last_event_id=, since=, rewind=. An empty one is
// none; a wrong one is an error, never "everything" and never "nothing".
func readBeginning(r *http.Request, query url.Values, channels int) (b beginning, err error) {
	b.other, b.named, err = otherStart(query)
	if err != nil {
		return b, err
	}
	if err = b.readAfter(query["after"], channels); err != nil {
		return b, err
	}
	b.given = givenPosition(r, query)
	if b.given == "" {
		return b, nil
	}
	b.named, b.resumed = true, r.Header.Get("Last-Event-ID") != ""
	return b, b.readPosition(b.given, channels)
}

// readAfter reads after=<channel>/<position>, at most one for each channel.
func (b *beginning) readAfter(pairs []string, channels int) error {
	if len(pairs) > channels {
		return badRequest("after= is given more often than channel=")
	}
	for _, pair := range pairs {
		channel, position, found := strings.Cut(pair, "/")
		if !found || position == "" {
			return badRequest("after= is a channel, a slash and a position")
		}
		of := beginning{given: position}
		if err := of.readPosition(position, 1); err != nil {
			return err
		}
		if b.after == nil {
			b.after = make(map[string]beginning, len(pairs))
		}
		b.after[channel], b.named = of, true
	}
	return nil
}

// givenPosition is the position as the client gave it.
func givenPosition(r *http.Request, query url.Values) string {
	return cmp.Or(r.Header.Get("Last-Event-ID"), query.Get("last_event_id"))
}

func (b *beginning) readPosition(s string, channels int) (err error) {
	switch s {
	case "earliest", "0-0":
		b.other = streams.Earliest()
		return nil
	}
	if channels == 1 {
		if b.position, err = streams.ParseID(s); err == nil {
			return nil
		}
	}
	cursor, cursorErr := streams.ParseCursor(s)
	if cursorErr == nil {
		b.cursor = &cursor
		return nil
	}
	if channels > 1 {
		return cursorErr
	}
	return err
}

// of returns where the channel's subscription begins.
func (b *beginning) of(channel string) streams.Start {
	if position, ok := b.at(channel); ok {
		return streams.After(position)
	}
	if after, own := b.after[channel]; own {
		return after.other
	}
	return b.other
}

// at returns the position at which the channel's subscription begins, if it
// begins at one.
func (b *beginning) at(channel string) (position streams.ID, ok bool) {
	after, own := b.after[channel]
	if own && !b.resumed {
		return after.at(channel)
	}
	if !b.position.IsZero() {
		return b.position, true
	}
	if b.cursor != nil {
		if position, ok = b.cursor.Position(channel); ok {
			return position, true
		}
	}
	if own {
		return after.at(channel)
	}
	return streams.ID{}, false
}

// id is the position that a client has to give when it comes again, for these
// channels: empty where it gave none. It comes as a header then, which goes
// before after=, so it has to say what that says now.
func (b *beginning) id(channels []string) []byte {
	if b.resumed || len(b.after) == 0 {
		return safeID(b.given)
	}
	if len(channels) == 1 {
		return safeID(cmp.Or(b.after[channels[0]].given, b.given))
	}
	var cursor streams.Cursor
	some := false
	for _, channel := range channels {
		position, ok := b.at(channel)
		if _, own := b.after[channel]; !ok && !own && b.other == streams.Earliest() {
			return nil // no cursor says that; the URL still does
		}
		if ok {
			cursor.Set(channel, position)
			some = true
		}
	}
	if !some {
		return nil
	}
	return cursor.Append(nil)
}

// safeID returns a position as it was given, unless it could not be an ID: it
// would break the line, or is longer than any cursor.
func safeID(given string) []byte {
	if len(given) > streams.MaxCursorLength {
		return nil
	}
	for i := range len(given) {
		if given[i] < ' ' || given[i] > '~' {
			return nil
		}
	}
	return []byte(given)
}

// otherStart reads since= and rewind=.
func otherStart(query url.Values) (s streams.Start, given bool, err error) {
	if since := query.Get("since"); since != "" {
		s, err = parseSince(since, time.Now())
		return s, true, err
	}
	if rewind := query.Get("rewind"); rewind != "" {
		n, err := strconv.Atoi(rewind)
		if err != nil || rewind[0] == '+' {
			return s, true, badRequest("rewind is a number of events")
		}
		s, err = parseRewind(n)
		return s, true, err
	}
	return streams.Now(), false, nil
}

// parseSince reads a time (RFC 3339) or a duration before now ("10m"). Clocks
// differ a little, so a time just ahead is now.
func parseSince(s string, now time.Time) (streams.Start, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		d, err := time.ParseDuration(s)
		if err != nil || s == "0" {
			return streams.Start{}, badRequest(`since is a time such as 2026-01-31T08:00:00Z or a duration such as 10m`)
		}
		t = now.Add(-d)
	}
	if t.After(now.Add(time.Second)) {
		return streams.Start{}, badRequest("since is in the future")
	}
	return streams.Since(t), nil
}

func parseRewind(n int) (streams.Start, error) {
	if n < 1 || n > maxRewind {
		return streams.Start{}, badRequest("rewind is a number of events from 1 to %d", maxRewind)
	}
	return streams.Rewind(n), nil
}

package server

import (
	"context"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"runnel/auth"
	"runnel/streams"
)

// pager reads pages of channels through subscriptions, as a feed would: those
// that return together share the reading, and waiting is the same question.
type pager struct {
	server *Server
	user   string // who asks
	subs   []*streams.Subscription
	signal streams.Signal
}

// newPager subscribes to the channels. The caller closes the pager.
func (s *Server) newPager(ctx context.Context, user string, channels []string, start beginning) (*pager, error) {
	signal := streams.NewSignal()
	subs, err := s.subscribeAll(ctx, channels, start, signal)
	if err != nil {
		return nil, err
	}
	return &pager{server: s, user: user, subs: subs, signal: signal}, nil
}

func (p *pager) close() { closeAll(p.subs) }

// read returns a page per channel with at most limit events in all. If there
// is nothing it waits that long for something, or until the node drains. The
// caller leaves the room that they take.
func (p *pager) read(ctx context.Context, limit int, wait time.Duration) (pages []*historyPage, held *room, err error) {
	pages = make([]*historyPage, len(p.subs))
	for i, sub := range p.subs {
		pages[i] = &historyPage{last: sub.Position()}
	}
	over := time.NewTimer(wait)
	defer over.Stop()
	for {
		if held == nil {
			if held, err = p.server.answers.enter(ctx, p.user); err != nil {
				return nil, nil, err
			}
		}
		current, left := p.fill(pages, limit)
		if current && (left == 0 || wait == 0 || !allEmpty(pages)) {
			return pages, held, nil
		}
		if allEmpty(pages) {
			held.leave() // waiting takes none
			held = nil
		}
		expired := over.C
		if !current {
			expired = nil // the log is being read, which has a deadline of its own
		}
		select {
		case <-p.signal:
		case <-expired:
			return pages, held, nil
		case <-p.server.hub.draining:
			for _, page := range pages {
				page.more = page.more || !page.atEnd
			}
			return pages, held, nil
		case <-ctx.Done():
			held.leave()
			return nil, nil, ctx.Err()
		}
	}
}

// fill takes what the subscriptions have. It returns whether of each page is
// known if there is more, and how many events may still be taken.
func (p *pager) fill(pages []*historyPage, limit int) (current bool, left int) {
	current, left = true, limit
	bytes := maxPageBytes
	for _, page := range pages {
		left -= len(page.events)
		bytes -= page.size
	}
	for i, sub := range p.subs {
		for sub.Due() && !pages[i].more {
			had := pages[i].size
			left -= pages[i].take(sub, left, bytes)
			bytes -= pages[i].size - had
		}
		current = current && (pages[i].more || pages[i].atEnd)
	}
	return current, left
}

// take adds what comes next, up to left events and so many bytes as they are
// encoded, and returns how many events that were; an answer's first one always
// fits. A page ends before a further gap. One that is full only looks whether
// there is more; ephemeral events are not.
func (p *historyPage) take(sub *streams.Subscription, left, bytes int) (taken int) {
	batch := sub.Next(nil, max(1, bytes))
	if batch.Gap != nil && !p.empty() {
		sub.Seek(batch.From, batch.Gap)
		p.more = true
		return 0
	}
	if batch.Gap != nil {
		p.gap, p.last = batch.Gap, batch.Gap.Last
	}
	p.atEnd = batch.Current
	for _, e := range batch.Events {
		size := envelopeSize(e, sub.Channel())
		full := taken == left || size > bytes && bytes < maxPageBytes
		if full && e.Ephemeral() {
			continue
		}
		if full {
			p.more, p.atEnd = true, false
			return taken
		}
		taken++
		bytes -= size
		p.size += size
		p.events = append(p.events, e)
		if !e.Ephemeral() {
			p.last = e.ID
		}
	}
	return taken
}

func allEmpty(pages []*historyPage) bool {
	for _, page := range pages {
		if !page.empty() {
			return false
		}
	}
	return true
}

// answerPages answers with what several channels have, as a long-poll does: an
// event list over all of them, a cursor, and a list of gaps.
func (s *Server) answerPages(c echo.Context, query url.Values, claims *auth.Claims, channels []string, start beginning) error {
	q, err := readPageQuery(query)
	if err != nil {
		return err
	}
	if !q.before.IsZero() {
		return badRequest("before= is for one channel")
	}
	q.wait = waitWithin(q.wait, claims)
	if q.from = start.named; !q.from {
		q.wait = 0
	}
	ctx, end, err := s.beginPoll(c, claims, q)
	if err != nil {
		return err
	}
	defer end()
	reader, err := s.newPager(ctx, claims.Publisher(), channels, start)
	if err != nil {
		return err
	}
	defer reader.close()
	pages, held, err := reader.read(ctx, q.limit, q.wait)
	defer held.leave()
	if err == nil {
		err = s.stillHolds(claims)
	}
	if err != nil {
		return err
	}
	b := appendPages(pages, channels)
	held.shrink(len(b))
	return s.answerLong(c, b)
}

func appendPages(pages []*historyPage, channels []string) []byte {
	var cursor streams.Cursor
	size := 0
	for _, page := range pages {
		size += page.encodedSize()
	}
	b, gaps, more := append(make([]byte, 0, size+streams.MaxCursorLength), `{"events":[`...), []byte(nil), false
	for i, page := range pages {
		cursor.Set(channels[i], page.last)
		more = more || page.more
		if len(page.events) > 0 && b[len(b)-1] != '[' {
			b = append(b, ',')
		}
		b = page.appendEvents(b, channels[i])
		if page.gap != nil {
			if gaps != nil {
				gaps = append(gaps, ',')
			}
			gaps = appendGap(gaps, page.gap, false)
		}
	}
	b = append(cursor.Append(append(b, `],"last_event_id":"`...)), `","gaps":[`...)
	b = append(append(b, gaps...), `],"more":`...)
	return append(appendBool(b, more), '}')
}

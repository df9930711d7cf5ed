package server

import (
	"context"
	"net/http"
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
	subs   []*streams.Subscription
	signal streams.Signal
}

// newPager subscribes to the channels. The caller closes the pager.
func (s *Server) newPager(ctx context.Context, channels []string, start beginning) (*pager, error) {
	signal := streams.NewSignal()
	subs, err := s.subscribeAll(ctx, channels, start, signal)
	if err != nil {
		return nil, err
	}
	return &pager{server: s, subs: subs, signal: signal}, nil
}

func (p *pager) close() { closeAll(p.subs) }

// read returns a page per channel with at most limit events in all. If there
// is nothing it waits that long for something, or until the node drains.
func (p *pager) read(ctx context.Context, limit int, wait time.Duration) ([]*historyPage, error) {
	pages := make([]*historyPage, len(p.subs))
	for i, sub := range p.subs {
		pages[i] = &historyPage{last: sub.Position()}
	}
	over := time.NewTimer(wait)
	defer over.Stop()
	for {
		current, left := p.fill(pages, limit)
		if current && (left == 0 || wait == 0 || !allEmpty(pages)) {
			return pages, nil
		}
		expired := over.C
		if !current {
			expired = nil // the log is being read, which has a deadline of its own
		}
		select {
		case <-p.signal:
		case <-expired:
			return pages, nil
		case <-p.server.hub.draining:
			for _, page := range pages {
				page.more = page.more || !page.atEnd
			}
			return pages, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// fill takes what the subscriptions have. It returns whether of each page is
// known if there is more, and how many events may still be taken.
func (p *pager) fill(pages []*historyPage, limit int) (current bool, left int) {
	current, left = true, limit
	for _, page := range pages {
		left -= len(page.events)
	}
	for i, sub := range p.subs {
		for sub.Due() && !pages[i].more {
			left -= pages[i].take(sub, left)
		}
		current = current && (pages[i].more || pages[i].atEnd)
	}
	return current, left
}

// take adds what comes next, up to left events, and returns how many that
// were. A page ends before a further gap. One that is full only looks whether
// there is more; ephemeral events are not.
func (p *historyPage) take(sub *streams.Subscription, left int) (taken int) {
	if p.size >= maxPageBytes {
		left = 0
	}
	batch := sub.Next(nil, max(1, maxPageBytes-p.size))
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
		if taken == left && e.Ephemeral() {
			continue
		}
		if taken == left {
			p.more, p.atEnd = true, false
			return taken
		}
		taken++
		p.size += e.Size()
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
	reader, err := s.newPager(ctx, channels, start)
	if err != nil {
		return err
	}
	defer reader.close()
	pages, err := reader.read(ctx, q.limit, q.wait)
	if err == nil {
		err = s.stillHolds(claims)
	}
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, appendPages(pages, channels))
}

func appendPages(pages []*historyPage, channels []string) []byte {
	var cursor streams.Cursor
	b, gaps, more := []byte(`{"events":[`), []byte(nil), false
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

package server

import (
	"net/url"
	"strconv"
	"time"

	"runnel/streams"
)

const (
	defaultPage = 100
	maxPage     = 1000
	// maxPageBytes ends a page early: answers are held in memory whole.
	maxPageBytes = 1 << 20
	// historyWait is how long a page may take to be read.
	historyWait = 10 * time.Second
	// maxPoll is how long a long-poll may wait, as long as proxies let one.
	maxPoll = 60 * time.Second
)

// pageQuery is which page of history is asked for.
type pageQuery struct {
	start  streams.Start
	from   bool       // there is a start; else the page is before a position
	before streams.ID // zero: the newest
	limit  int
	wait   time.Duration
}

// readPageQuery reads limit=, before= and wait=.
func readPageQuery(query url.Values) (q pageQuery, err error) {
	if q.limit, err = readLimit(query); err != nil {
		return q, err
	}
	if before := query.Get("before"); before != "" {
		if q.before, err = streams.ParseID(before); err != nil {
			return q, err
		}
	}
	if wait := query.Get("wait"); wait != "" {
		if q.wait, err = time.ParseDuration(wait); err != nil || q.wait < 0 || wait == "0" {
			return q, badRequest("wait is a duration such as 25s")
		}
		q.wait = min(q.wait, maxPoll)
	}
	return q, nil
}

// readLimit reads limit=, of pages of any kind.
func readLimit(query url.Values) (int, error) {
	text := query.Get("limit")
	if text == "" {
		return defaultPage, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, badLimit
	}
	return checkLimit(n)
}

var badLimit = badRequest("limit is a number from 1 to %d", maxPage)

func checkLimit(n int) (int, error) {
	if n < 1 || n > maxPage {
		return 0, badLimit
	}
	return n, nil
}

// pageQuery is which page a history message asks for.
func (m *message) pageQuery() (q pageQuery, err error) {
	q.limit = defaultPage
	if m.limit != nil {
		if q.limit, err = checkLimit(*m.limit); err != nil {
			return q, err
		}
	}
	if m.before != "" {
		if q.before, err = streams.ParseID(m.before); err != nil {
			return q, err
		}
	}
	if q.from = m.lastEventID != ""; q.from {
		q.start, err = m.beginning()
	}
	if q.from && m.before != "" {
		err = errBothWays
	}
	return q, err
}

var errBothWays = badRequest("either before or a position to start from, not both")

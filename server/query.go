package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"runnel/spelling"
	"runnel/strict"
)

// parameters are all that a query of ours can have, on any route.
var parameters = spelling.Of(
	"access_token",
	"after",
	"before",
	"channel",
	"debug", // this and gc: what pprof reads by itself
	"ephemeral",
	"event",
	"exclude",
	"gc",
	"last_event_id",
	"limit",
	"prefix",
	"rewind",
	"seconds",
	"since",
	"stored",
	"stream",
	"ticket",
	"wait",
)

// words are those of ordinary English that are one letter from a parameter, as a
// dictionary has them, but for other forms of the same word: who sends one
// means just that.
var words = []string{
	"alter", "aster", "chancel", "debut", "evens", "mince", "picket", "rafter", "rebind", "remind", "scored", "scream", "shored", "singe",
	"stared", "steam", "stoked", "stoned", "store", "stores", "storey", "storied", "stormed", "stowed", "streak", "thicket", "ticked", "ticker", "wicket", "wince",
}

// positions are the names that other clients have for last_event_id.
var positions = []string{"lastEventId", "lastEventID", "Last-Event-ID"}

// headers are those of ours that change what a request does: who misspells one
// would lose or double events without a word.
var headers = spelling.Of("Last-Event-ID", "Idempotency-Key")

// readQuery reads a request's query: the one place that says what is none. Of
// several positions the last one counts: a client that resumes appends its own.
func readQuery(r *http.Request) (url.Values, error) {
	query := url.Values{}
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if pair == "" {
			continue
		}
		name, value, err := readPair(pair)
		if err != nil {
			return nil, err
		}
		if name != "last_event_id" {
			query[name] = append(query[name], value)
		} else if value != "" {
			query.Set(name, value)
		}
	}
	return query, nil
}

// readFlag reads a parameter that is "true" or "false", which is what none means.
func readFlag(query url.Values, name string) (bool, error) {
	switch query.Get(name) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, badRequest(`%s is "true" or "false"`, name)
}

// readPair reads one parameter. The names that mean last_event_id become it.
func readPair(pair string) (name, value string, err error) {
	escaped, text, _ := strings.Cut(pair, "=")
	if name, err = url.QueryUnescape(escaped); err == nil {
		value, err = url.QueryUnescape(text)
	}
	if err != nil || strings.Contains(pair, ";") { // which some take for "&"
		return "", "", badRequest("the query cannot be read")
	}
	if slices.Contains(positions, name) {
		name = "last_event_id"
	}
	return name, value, nil
}

// spelt refuses a request with a name in its query or headers that is nearly
// one of ours: who sends one means something by it. WebSockets find that out by
// themselves, for they are told by a close code. Where nothing is read from a
// query, anything may stand: probes and browsers add what keeps caches away.
func (s *Server) spelt(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !strings.HasSuffix(c.Path(), "/ws") && !s.readsNone(c.Request().URL.Path) {
			if err := checkNames(c.Request()); err != nil {
				return err
			}
		}
		return next(c)
	}
}

func (s *Server) readsNone(path string) bool {
	return path == "/" || path == "/healthz" || path == "/readyz" || s.page != nil && s.page.Has(path)
}

func checkNames(r *http.Request) error {
	for name := range r.Header {
		if !strings.ContainsRune("ILX", rune(name[0])) { // with X-, too; it spares those that every request has
			continue
		}
		if meant := headers.Meant(name); meant != "" && !strings.EqualFold(meant, name) {
			return badRequest("the header %s is none of the hub's; %s is", name, meant)
		}
	}
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		escaped, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(escaped)
		if err != nil || slices.Contains(positions, name) {
			continue // who reads the query says so
		}
		if meant := parameters.Meant(name); meant != "" && !slices.Contains(words, strings.ToLower(name)) {
			return badRequest("%s is no parameter of the hub's; %s is", strict.Quote(name), meant)
		}
	}
	return nil
}

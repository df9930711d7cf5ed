package server

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"runnel/auth"
	"runnel/streams"
	"runnel/worktest"
)

// worstJSON are JSON values over which a parser that begins anew takes long.
var worstJSON = map[string]func(n int) string{
	"backslashes": func(n int) string { return `"` + strings.Repeat(`\\`, n/2) + `"` },
	"lists": func(n int) string {
		return strings.Repeat("[", 5000) + strings.Repeat("[],", n/3) + "1" + strings.Repeat("]", 5000)
	},
	"names":    func(n int) string { return "{" + strings.Repeat(`"\\":1,`, n/7) + `"":1}` },
	"a number": func(n int) string { return strings.Repeat("1", n) },
	"open":     func(n int) string { return strings.Repeat(`{"\\":[`, n/7) },
}

// TestWorkOnJSON is on what messages, batches and items are made of.
func TestWorkOnJSON(t *testing.T) {
	for name, value := range worstJSON {
		for form, around := range map[string]func(string) string{
			"data":    func(v string) string { return `{"type":"publish","channel":"c","data":` + v + `}` },
			"unknown": func(v string) string { return `{"x":` + v + `}` },
		} {
			t.Run(name+" as "+form, func(t *testing.T) {
				worktest.Linear(t, func(n int) []byte { return []byte(around(value(n))) }, func(b []byte) {
					readMessage(b)
					for _, item := range readAsBatch(b) {
						readItem(item.raw)
					}
				})
			})
		}
	}
}

func readAsBatch(b []byte) []batchItem {
	items, _ := splitArray(append(append([]byte{'['}, b...), ']'), 1000)
	lines, _ := splitLines(b, 1000)
	return append(items, lines...)
}

// TestWorkOnBatches is on how a body is taken apart.
func TestWorkOnBatches(t *testing.T) {
	for name, piece := range map[string]string{
		"blank lines": "\n", "CR": "\r", "spaces": " \n", "bad lines": "{" + strings.Repeat(`"`, 99) + "\n", "good lines": "{" + strings.Repeat(" ", 99) + "}\n", "items": "{},", "strings": `"\\",`,
	} {
		t.Run(name, func(t *testing.T) {
			worktest.Linear(t, func(n int) []byte { return []byte("[" + strings.Repeat(piece, n/len(piece))) }, func(b []byte) {
				splitLines(b[1:], len(b))
				splitArray(append(bytes.Clone(b), "1]"...), len(b))
			})
		})
	}
}

// TestWorkOnEvents: every line of a text searched to its end for a CR.
func TestWorkOnEvents(t *testing.T) {
	var into []byte
	for name, piece := range map[string]string{"LF": "\n", "CR": "\r", "CR LF": "\r\n", "lines": "x\n", "no UTF-8": "\xff", "quotes": `"`} {
		t.Run(name, func(t *testing.T) {
			worktest.Linear(t, func(n int) []byte { return []byte(strings.Repeat(piece, n/len(piece))) }, func(b []byte) {
				into = appendSSE(into[:0], "", b, nil)
				into = appendEnvelope(into[:0], &streams.Event{Text: true, Data: b}, "c")
			})
		})
	}
}

// TestWorkOnRequests is on what a request's line and header say, before
// anything is known of who sent it: as if there was no bound to their size.
func TestWorkOnRequests(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	addresses := &clientAddresses{trusted: trusted, warn: func(netip.Addr) {}}
	for name, c := range map[string]struct {
		piece string
		read  func(r *http.Request, value string)
	}{
		"Accept commas": {",", func(r *http.Request, v string) { r.Header.Set("Accept", v); wantsEvents(r) }},
		"Accept":        {"a;b=c;,", func(r *http.Request, v string) { r.Header.Set("Accept", v); wantsEvents(r) }},
		"Forwarded":     {"10.0.0.1,", func(r *http.Request, v string) { r.Header.Set("X-Forwarded-For", v+"10.0.0.1"); addresses.of(r) }},
		"no Forwarded":  {":", func(r *http.Request, v string) { r.Header.Set("X-Forwarded-For", v); addresses.of(r) }},
		"zone":          {"%", func(r *http.Request, v string) { r.Header.Set("X-Forwarded-For", "fe80::1"+v); addresses.of(r) }},
		"scheme":        {"x", func(r *http.Request, v string) { r.Header.Set("X-Forwarded-Proto", v); Scheme(trusted)(r) }},
		"Content-Type":  {"; a*0=b", func(r *http.Request, v string) { r.Header.Set("Content-Type", "text/plain"+v); contentType(r, "") }},
		"parameters":    {`;a="\\"`, func(r *http.Request, v string) { r.Header.Set("Content-Type", "text/plain"+v); contentType(r, "") }},
		"Connection":    {"U, ", func(r *http.Request, v string) { r.Header.Set("Connection", v); isHandshake(r) }},
		"request ID":    {"a", func(_ *http.Request, v string) { _ = goodRequestID(v) }},
		"connection ID": {"a", func(_ *http.Request, v string) { parseConnectionID(v); connectionBelongs(v, "u") }},
		"key":           {"a", func(_ *http.Request, v string) { draftKey(&auth.Claims{}, &v) }},
		"type":          {"a", func(_ *http.Request, v string) { eventType(v) }},
		"channel":       {"%41", func(r *http.Request, v string) { readChannel(r, v) }},
		"position":      {"9", func(r *http.Request, v string) { readStart(r, url.Values{"last_event_id": {v}}) }},
		"cursor":        {"AQEBAQEB", func(r *http.Request, v string) { readStart(r, url.Values{"last_event_id": {v}}) }},
		"since":         {"1h", func(r *http.Request, v string) { readStart(r, url.Values{"since": {v}}) }},
		"rewind":        {"1", func(r *http.Request, v string) { readStart(r, url.Values{"rewind": {v}}) }},
		"page":          {"1", func(_ *http.Request, v string) { readPageQuery(url.Values{"limit": {v}, "before": {v + "-1"}}) }},
		"wait":          {"1s", func(_ *http.Request, v string) { readPageQuery(url.Values{"wait": {v}}) }},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = "10.0.0.1:1"
			worktest.Linear(t, func(n int) string { return strings.Repeat(c.piece, n/len(c.piece)) }, func(v string) { c.read(r, v) })
		})
	}
}

func readChannel(r *http.Request, name string) {
	c := echo.New().NewContext(r, nil)
	c.SetParamNames("channel")
	c.SetParamValues(name)
	name, _ = channelParam(c)
	maySubscribe(&auth.Claims{}, name)
}

func readStart(r *http.Request, query url.Values) {
	readBeginning(r, query, 1)
	readBeginning(r, query, 2)
}

// TestWorkOnQueries: each channel that a query names was compared with all
// before it, however many there were.
func TestWorkOnQueries(t *testing.T) {
	for _, name := range []string{"channel", "after", "x"} {
		t.Run(name, func(t *testing.T) {
			long := strings.Repeat("c", 128) // the parser takes 10,000 members at the most
			input := func(n int) string {
				var b bytes.Buffer
				for b.Len() < n {
					b.WriteString(name + "=" + long + strconv.Itoa(b.Len()) + "/1-1&")
				}
				return b.String()
			}
			worktest.Linear(t, input, func(v string) {
				r := &http.Request{Header: http.Header{}, URL: &url.URL{RawQuery: v}}
				query, _ := readQuery(r)
				readBeginning(r, query, len(distinct(query["channel"], 32)))
			})
		})
	}
}

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
	accept := func(r *http.Request, v string) { r.Header.Set("Accept", v); wantsEvents(r) }
	forwarded := func(r *http.Request, v string) { r.Header.Set("X-Forwarded-For", v); addresses.of(r) }
	kind := func(r *http.Request, v string) { r.Header.Set("Content-Type", v); contentType(r, "") }
	for name, c := range map[string]struct {
		before, piece, after string
		read                 func(r *http.Request, value string)
	}{
		"Accept commas": {"", ",", "", accept},
		"Accept":        {"", "a;b=c;,", "", accept},
		"Forwarded":     {"", "10.0.0.1,", "10.0.0.1", forwarded},
		"no Forwarded":  {"", ":", "", forwarded},
		"zone":          {"fe80::1", "%", "", forwarded},
		"Content-Type":  {"text/plain", "; a*0=b", "", kind},
		"parameters":    {"text/plain", `;a="\\"`, "", kind},
		"Connection":    {"", "U, ", "", readHandshake},
		"channel":       {"", "%41", "", readChannel},
		"position":      {"", "9", "", readStartAt("last_event_id")},
		"cursor":        {"", "AQEBAQEB", "", readStartAt("last_event_id")},
		"since":         {"", "1h", "", readStartAt("since")},
		"rewind":        {"", "1", "", readStartAt("rewind")},
		"limit":         {"", "1", "", func(_ *http.Request, v string) { readPageQuery(url.Values{"limit": {v}}) }},
		"before":        {"", "1", "-1", func(_ *http.Request, v string) { readPageQuery(url.Values{"before": {v}}) }},
		"wait":          {"", "1s", "", func(_ *http.Request, v string) { readPageQuery(url.Values{"wait": {v}}) }},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = "10.0.0.1:1"
			input := func(n int) string { return c.before + strings.Repeat(c.piece, n/len(c.piece)) + c.after }
			worktest.Linear(t, input, func(v string) { c.read(r, v) })
		})
	}
}

func readHandshake(r *http.Request, connection string) {
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Connection", connection)
	isHandshake(r)
}

func readChannel(r *http.Request, name string) {
	r.URL.RawPath = "/channels/%41"
	c := echo.New().NewContext(r, nil)
	c.SetParamNames("channel")
	c.SetParamValues(name)
	name, _ = channelParam(c)
	maySubscribe(&auth.Claims{}, name)
}

func readStartAt(parameter string) func(*http.Request, string) {
	return func(r *http.Request, v string) {
		query := url.Values{parameter: {v}}
		readBeginning(r, query, 1)
		readBeginning(r, query, 2)
	}
}

// TestWorkOnLongNames: nobody goes through a name that is longer than it may be.
func TestWorkOnLongNames(t *testing.T) {
	for name, read := range map[string]func(string){
		"request ID":    func(v string) { _ = goodRequestID(v) },
		"connection ID": func(v string) { connectionBelongs(v, "u") },
		"key":           func(v string) { _ = goodKey(v) },
		"type":          func(v string) { eventType(v) },
		"channel":       func(v string) { maySubscribe(&auth.Claims{}, v) },
	} {
		t.Run(name, func(t *testing.T) {
			worktest.Refused(t, func(n int) string { return strings.Repeat("a", n) }, read)
		})
	}
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

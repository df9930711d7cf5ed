//go:build linux

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// mark is what an event says of itself, in fixed width, so that a subscriber
// finds it in any wire format without decoding that: ~source.number.sent~
type mark struct {
	source int           // who numbers: a publisher, or a channel
	number uint32        // from 1
	sent   time.Duration // by the loop's clock
}

const (
	markForm   = "~00000.00000000.0000000000~"
	maxSources = 100_000
	leastSize  = len(`{"mark":"","pad":""}`) + len(markForm)
)

// appendEvent appends a JSON object of that many bytes that carries the mark
// (size at least leastSize).
func appendEvent(b []byte, m mark, size int) []byte {
	b = append(b, `{"mark":"`...)
	b = appendMark(b, m)
	b = append(b, `","pad":"`...)
	for left := size - leastSize; left > 0; {
		// Each event has other text, as events have.
		from := int(m.number) * 37 % (len(prose) / 2)
		n := min(left, len(prose)-from)
		b = append(b, prose[from:from+n]...)
		left -= n
	}
	return append(b, `"}`...)
}

// prose compresses about as JSON does: words that come again, numbers that do
// not.
var prose = func() string {
	random := rand.New(rand.NewPCG(1, 2)) // the same in every run
	names := []string{"price", "volume", "status", "active", "updated", "customer", "order", "quantity", "total", "note"}
	var text strings.Builder
	for text.Len() < 64<<10 {
		fmt.Fprintf(&text, "%s: %d, ", names[random.IntN(len(names))], random.IntN(1_000_000))
	}
	return text.String()
}()

func appendMark(b []byte, m mark) []byte {
	at := len(b)
	b = append(b, markForm...)
	putDigits(b[at+1:at+6], uint64(m.source))
	putDigits(b[at+7:at+15], uint64(m.number))
	putDigits(b[at+16:at+26], uint64(m.sent/time.Microsecond))
	return b
}

// nextMark finds the first mark in b and returns what follows it; ok is false
// when there is none.
func nextMark(b []byte) (m mark, rest []byte, ok bool) {
	for {
		at := bytes.IndexByte(b, '~')
		if at < 0 || len(b) < at+len(markForm) {
			return mark{}, nil, false
		}
		if m, ok = parseMark(b[at : at+len(markForm)]); ok {
			return m, b[at+len(markForm):], true
		}
		b = b[at+1:]
	}
}

func parseMark(b []byte) (mark, bool) {
	if b[6] != '.' || b[15] != '.' || b[26] != '~' {
		return mark{}, false
	}
	source, ok1 := digits(b[1:6])
	number, ok2 := digits(b[7:15])
	sent, ok3 := digits(b[16:26])
	return mark{int(source), uint32(number), time.Duration(sent) * time.Microsecond}, ok1 && ok2 && ok3
}

// putDigits fills b with a decimal number.
func putDigits(b []byte, n uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = '0' + byte(n%10)
		n /= 10
	}
}

func digits(b []byte) (n uint64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

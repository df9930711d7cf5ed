package server

import (
	"slices"

	"runnel/streams"
)

// historyPage is a page of one channel's history.
type historyPage struct {
	events []*streams.Event
	last   streams.ID // the position after it
	gap    *streams.Gap
	more   bool // there is more in that direction
	size   int  // of the events as they are encoded, at most
	atEnd  bool // nothing follows for now
}

func (p *historyPage) empty() bool { return p.gap == nil && len(p.events) == 0 }

// keepNewest measures the events, and drops the oldest if they are too many
// bytes.
func (p *historyPage) keepNewest(channel string) {
	for i, e := range slices.Backward(p.events) {
		size := envelopeSize(e, channel)
		if p.size > 0 && p.size+size > maxPageBytes {
			p.events, p.more = p.events[i+1:], true
			return
		}
		p.size += size
	}
}

// encodedSize is what a page takes as JSON at most.
func (p *historyPage) encodedSize() int { return p.size + pageOverhead }

// pageOverhead is what a page has beside its events, with a gap and names.
const pageOverhead = 1 << 10

// appendMembers appends the members of the JSON page of protocol.md.
func (p *historyPage) appendMembers(b []byte, channel string) []byte {
	b = append(b, `"events":[`...)
	b = p.appendEvents(b, channel)
	b = appendJSONID(append(b, `],"last_event_id":`...), p.last)
	b = append(b, `,"gap":`...)
	if p.gap != nil {
		b = appendGap(b, p.gap, false)
	} else {
		b = append(b, "null"...)
	}
	return appendBool(append(b, `,"more":`...), p.more)
}

func (p *historyPage) appendEvents(b []byte, channel string) []byte {
	for i, e := range p.events {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendEnvelope(b, e, channel) // a form would be kept for as long as the event
	}
	return b
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, "true"...)
	}
	return append(b, "false"...)
}

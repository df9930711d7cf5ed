package server

import (
	"runnel/streams"
)

// historyPage is a page of one channel's history.
type historyPage struct {
	events []*streams.Event
	last   streams.ID // the position after it
	gap    *streams.Gap
	more   bool // there is more in that direction
	size   int
	atEnd  bool // nothing follows for now
}

func (p *historyPage) empty() bool { return p.gap == nil && len(p.events) == 0 }

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
		b = append(b, envelope(e, channel)...)
	}
	return b
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, "true"...)
	}
	return append(b, "false"...)
}

//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// hub is a running server: its processes and how it is spoken to. A target's
// start function makes it; stop ends its processes.
type hub struct {
	address   *net.TCPAddr
	processes processes
	redis     *redisServer // nil without
	stop      func()
	restart   func() error // on the same store; nil where nothing would be left
	positions bool         // subscribers keep the positions they reach

	// lag is how long after its answer a feed may begin: events of that time
	// are not for it, and nothing says so.
	lag time.Duration

	paths endpoints
}

// endpoints is what differs between hubs on the wire.
type endpoints struct {
	host    string
	sse, ws string // paths with {channel}; "": not spoken
	publish string
	batch   string // path for NDJSON of {"channel":…,"data":…}, "" without

	subscribeHead func(subscriber int) string // lines of the head, such as a token
	publishHead   string
	contentType   string
	body          string // with {channel} and {data}; "": the data alone
}

// subscribe returns the request for a feed, after a position unless that is
// empty.
func (h *hub) subscribe(transport, channel string, subscriber int, after string, deflate bool) []byte {
	p := &h.paths
	path, lines := p.sse, "Accept: text/event-stream\r\nCache-Control: no-cache\r\n"
	if transport == "ws" {
		path = p.ws
		lines = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: cnVubmVsIGJlbmNoIGtleQ==\r\n"
		if deflate {
			lines += "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
		}
	}
	path = strings.ReplaceAll(path, "{channel}", channel)
	if after != "" {
		if transport == "ws" {
			path += separator(path) + "last_event_id=" + after
		} else {
			lines += "Last-Event-ID: " + after + "\r\n"
		}
	}
	if p.subscribeHead != nil {
		lines += p.subscribeHead(subscriber)
	}
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + p.host + "\r\nUser-Agent: runnel-bench\r\n" + lines + "\r\n")
}

func separator(path string) string {
	if strings.Contains(path, "?") {
		return "&"
	}
	return "?"
}

// appendPublish appends the request that publishes data.
func (h *hub) appendPublish(b []byte, channel string, data []byte) []byte {
	p := &h.paths
	if p.body != "" {
		data = bytes.ReplaceAll([]byte(p.body), []byte("{data}"), data)
		data = bytes.ReplaceAll(data, []byte("{channel}"), []byte(channel))
	}
	path := p.publish
	if at := strings.Index(path, "{channel}"); at >= 0 {
		path = path[:at] + channel + path[at+len("{channel}"):]
	}
	return p.appendPost(b, path, p.contentType, data)
}

// appendBatch appends the request that publishes several events; body is
// NDJSON, a line each as appendItem makes them.
func (h *hub) appendBatch(b, body []byte) []byte {
	return h.paths.appendPost(b, h.paths.batch, "application/x-ndjson", body)
}

func (p *endpoints) appendPost(b []byte, path, contentType string, body []byte) []byte {
	b = append(b, "POST "...)
	b = append(b, path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, p.host...)
	b = append(b, "\r\nContent-Type: "...)
	b = append(b, contentType...)
	b = append(b, "\r\n"...)
	b = append(b, p.publishHead...)
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, body...)
}

// appendItem appends one line of a batch.
func appendItem(b []byte, channel string, m mark, size int) []byte {
	b = append(b, `{"channel":"`...)
	b = append(b, channel...)
	b = append(b, `","data":`...)
	b = appendEvent(b, m, size)
	return append(b, "}\n"...)
}

// at names the server's address.
func (h *hub) at(address string) error {
	a, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return fmt.Errorf("address of the hub: %w", err)
	}
	h.address = a
	if h.paths.host == "" {
		h.paths.host = address
	}
	return nil
}

//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
)

// request is as much of an HTTP request as the ceiling looks at.
type request struct {
	method, path string
	size         int // of the body
	key          string
	after        int // Last-Event-ID, -1 without
}

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4096) }}

// connection reads requests. A feed is handed on and holds no goroutine; a
// publisher's connection stays here.
func (p *plain) connection(conn net.Conn) {
	r := readers.Get().(*bufio.Reader)
	r.Reset(conn)
	defer readers.Put(r)
	for {
		q, err := readRequest(r)
		if err != nil {
			conn.Close()
			return
		}
		if q.method == "GET" {
			p.feed(conn, q)
			return
		}
		body := make([]byte, q.size)
		if _, err := io.ReadFull(r, body); err != nil {
			conn.Close()
			return
		}
		if q.path == "" {
			p.batch(body)
		} else {
			p.publish(q.path, body)
		}
		conn.Write(created)
	}
}

var created = []byte("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")

func (p *plain) feed(conn net.Conn, q request) {
	head := "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	if q.key != "" {
		sum := sha1.Sum([]byte(q.key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455, section 4.2.2
		head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " +
			base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
	}
	if _, err := conn.Write([]byte(head)); err != nil {
		conn.Close()
		return
	}
	p.subscribe(q.path, newOutlet(conn, q.key != "", p.bare), q.after)
}

// batch publishes the items of appendItem, whose form it knows.
func (p *plain) batch(body []byte) {
	for line := range bytes.Lines(body) {
		rest, _ := bytes.CutPrefix(line, []byte(`{"channel":"`))
		channel, data, _ := bytes.Cut(rest, []byte(`","data":`))
		p.publish(string(channel), bytes.TrimSuffix(data, []byte("}\n")))
	}
}

func readRequest(r *bufio.Reader) (request, error) {
	q := request{after: -1}
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return q, err
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case first:
			f := strings.Fields(string(line))
			if len(f) != 3 {
				return q, errors.New("no request line")
			}
			q.method, q.path = f[0], strings.TrimPrefix(f[1], "/")
			if path, after, ok := strings.Cut(q.path, "?last_event_id="); ok {
				q.path = path
				q.after, err = strconv.Atoi(after)
			}
		case len(line) == 0:
			return q, nil
		default:
			err = q.header(line)
		}
		if err != nil {
			return q, err
		}
	}
}

// header keeps the lines that matter, as the load generator writes them.
func (q *request) header(line []byte) (err error) {
	name, value, _ := bytes.Cut(line, []byte(": "))
	switch string(name) {
	case "Content-Length":
		q.size, err = strconv.Atoi(string(value))
	case "Last-Event-ID":
		q.after, err = strconv.Atoi(string(value))
	case "Sec-WebSocket-Key":
		q.key = string(value)
	}
	return err
}

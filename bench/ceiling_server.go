//go:build linux

package main

import (
	"encoding/binary"
	"net"
	"runtime"
	"strconv"
	"sync"
)

// plain is the ceiling's server.
type plain struct {
	bare    bool
	workers []chan job
	running sync.WaitGroup

	mu     sync.Mutex
	topics map[string]*topic
	joined int
}

// topic is a channel: its newest events, and its sockets by worker.
type topic struct {
	mu      sync.Mutex
	last    int
	history [][]byte // by number modulo kept; nil before the first event
	sockets [][]*outlet
}

// kept is enough for the scenario of returning clients.
const kept = 128

// job is what a worker does next: write an event to a topic's sockets, or take
// in a socket.
type job struct {
	topic *topic
	data  []byte
	id    int

	join  *outlet
	first []byte // what it gets before anything else
}

func newPlain(bare bool) *plain {
	p := &plain{bare: bare, topics: map[string]*topic{}}
	for w := range runtime.GOMAXPROCS(0) {
		jobs := make(chan job, 1024) // publishers wait when workers are this far behind
		p.workers = append(p.workers, jobs)
		p.running.Go(func() { work(w, jobs) })
	}
	return p
}

// serve returns when the listener is closed; connections end with the process.
func (p *plain) serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go p.connection(conn)
	}
}

func work(w int, jobs chan job) {
	for j := range jobs {
		if j.join != nil {
			j.topic.sockets[w] = append(j.topic.sockets[w], j.join)
			j.join.write(j.first)
			continue
		}
		j.topic.sockets[w] = j.deliver(j.topic.sockets[w])
	}
}

// deliver writes the event to each socket and returns those that live.
func (j *job) deliver(sockets []*outlet) []*outlet {
	var sse, ws []byte
	live := sockets[:0]
	for _, o := range sockets {
		var b []byte
		if o.ws {
			if ws == nil {
				ws = appendFrame(nil, j.data)
			}
			b = ws
		} else {
			if sse == nil {
				sse = appendChunk(nil, j.data, j.id)
			}
			b = sse
		}
		if o.write(b) != nil {
			o.conn.Close()
			continue
		}
		live = append(live, o)
	}
	return live
}

// appendChunk appends an event as the hub writes it: a block, in a chunk of its
// own.
func appendChunk(b, data []byte, id int) []byte {
	block := appendBlock(nil, data, id)
	b = append(strconv.AppendInt(b, int64(len(block)), 16), "\r\n"...)
	return append(append(b, block...), "\r\n"...)
}

func appendBlock(b, data []byte, id int) []byte {
	b = append(append(b, "data: "...), data...)
	b = strconv.AppendInt(append(b, "\nid: "...), int64(id), 10)
	return append(b, "\n\n"...)
}

func appendFrame(b, data []byte) []byte {
	switch n := len(data); {
	case n < 126:
		b = append(b, 0x81, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x81, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x81, 127), uint64(n))
	}
	return append(b, data...)
}

func (p *plain) topic(name string) *topic {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.topics[name]
	if t == nil {
		t = &topic{sockets: make([][]*outlet, len(p.workers))}
		p.topics[name] = t
	}
	return t
}

// publish gives the event to the workers; data is the caller's no longer.
func (p *plain) publish(name string, data []byte) {
	t := p.topic(name)
	t.mu.Lock()
	defer t.mu.Unlock() // workers get a topic's events in order
	if t.history == nil {
		t.history = make([][]byte, kept)
	}
	t.last++
	t.history[t.last%kept] = data
	for _, jobs := range p.workers {
		jobs <- job{topic: t, data: data, id: t.last}
	}
}

// subscribe hands the socket to a worker, with what comes after a number
// (negative: nothing of the past) in one write.
func (p *plain) subscribe(name string, o *outlet, after int) {
	t := p.topic(name)
	p.mu.Lock()
	p.joined++
	w := p.joined % len(p.workers)
	p.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	var first []byte
	if after >= 0 {
		for n := max(after, t.last-kept) + 1; n <= t.last; n++ {
			if data := t.history[n%kept]; o.ws {
				first = appendFrame(first, data)
			} else {
				first = appendChunk(first, data, n)
			}
		}
	}
	p.workers[w] <- job{topic: t, join: o, first: first}
}

package server

import "net"

// visitor is a connection that has a place until it is closed.
type visitor struct {
	*net.TCPConn
	source *source

	// Guarded by places.mu.
	since int64            // when it began to wait: see sinceBegan
	next  [queues]*visitor // in the queues of those who wait
	prev  [queues]*visitor
	waits bool
	out   bool // was told to go, for others
	left  bool // has no place any more
}

// Close gives the place back. It may be called more than once.
func (v *visitor) Close() error {
	p := v.source.places
	p.mu.Lock()
	p.leave(v)
	p.mu.Unlock()
	return v.TCPConn.Close()
}

// handOver leaves the place to the caller, who frees it once with
// [source.leave] when the file is closed. It is nil when there is none.
func (v *visitor) handOver() *source {
	p := v.source.places
	p.mu.Lock()
	defer p.mu.Unlock()
	if v.left {
		return nil
	}
	p.goOn(v)
	v.left = true
	return v.source
}

func closeVisitors(all []*visitor) {
	for _, v := range all {
		v.TCPConn.Close()
	}
}

// queue is connections that wait, the longest first. Each stands in two.
type queue struct {
	of          int
	first, last *visitor
}

const (
	ofAll = iota
	ofSource
	queues
)

func (q *queue) push(v *visitor) {
	v.prev[q.of], v.next[q.of] = q.last, nil
	if q.last == nil {
		q.first = v
	} else {
		q.last.next[q.of] = v
	}
	q.last = v
}

func (q *queue) drop(v *visitor) {
	prev, next := v.prev[q.of], v.next[q.of]
	if prev == nil {
		q.first = next
	} else {
		prev.next[q.of] = next
	}
	if next == nil {
		q.last = prev
	} else {
		next.prev[q.of] = prev
	}
	v.prev[q.of], v.next[q.of] = nil, nil
}

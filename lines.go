package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
)

// Bounds of a batch of lines: what the hub takes at once, and what may wait in
// memory; one line more than fits is read.
const (
	batchLines = 1000
	batchBytes = 512 << 10
	// A batch of one such line is what the hub takes at the most.
	longestLine = 1 << 20
)

var errLongLine = errors.New("longer than 1 MiB")

// line is one line of input without its end.
type line struct {
	number  int
	data    []byte
	tooLong bool // and so data is not there
}

// lineReader reads lines in the background and hands over as many at a time as
// have come meanwhile.
type lineReader struct {
	batches chan []line
	err     error // why reading ended, nil at the end of input; to be read after wait

	read    *lineCounter
	taken   int           // lines that were handed over
	stopped chan struct{} // closed when gather has ended
}

// readLines reads r until its end or ctx's. Empty lines are left out: an event
// has data. Where ctx ends first, a read that is under way goes on without an
// owner until it returns: one from a terminal cannot be cancelled, and the
// program is about to end.
func readLines(ctx context.Context, r io.Reader) *lineReader {
	l := &lineReader{batches: make(chan []line), read: &lineCounter{from: r}, stopped: make(chan struct{})}
	lines := make(chan line)
	failed := make(chan error, 1)
	go scanLines(ctx, l.read, lines, failed)
	go l.gather(ctx, lines, failed)
	return l
}

// wait returns once nothing more comes, and how many lines were read that
// nobody took, one of which only a part was read among them.
func (l *lineReader) wait() int {
	<-l.stopped
	return int(l.read.lines.Load()) - l.taken
}

func (l *lineReader) gather(ctx context.Context, lines <-chan line, failed <-chan error) {
	defer close(l.stopped)
	defer close(l.batches)
	var batch []line
	bytes := 0
	for lines != nil || len(batch) > 0 {
		in, out := lines, l.batches
		if len(batch) == batchLines || bytes >= batchBytes {
			in = nil
		}
		if len(batch) == 0 {
			out = nil
		}
		select {
		case next, ok := <-in:
			if !ok {
				l.err, lines = <-failed, nil
				continue
			}
			batch, bytes = append(batch, next), bytes+len(next.data)
		case out <- batch:
			l.taken += len(batch)
			batch, bytes = nil, 0
		case <-ctx.Done():
			return
		}
	}
}

func scanLines(ctx context.Context, r io.Reader, lines chan<- line, failed chan<- error) {
	defer close(lines)
	b := bufio.NewReaderSize(r, 64<<10)
	for number := 1; ; number++ {
		l, err := readLine(b)
		l.number = number
		if len(l.data) > 0 || l.tooLong {
			select {
			case lines <- l:
			case <-ctx.Done():
				failed <- nil
				return
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			failed <- err
			return
		}
	}
}

// lineCounter counts the lines that have something in them as they are read:
// what waits in a buffer of the reader's is gone from the input, too.
type lineCounter struct {
	from  io.Reader
	lines atomic.Int64 // one that has not ended yet counts
	ended int64        // those that have ended
	bytes int          // of the line that has not
	last  byte
}

// Read implements io.Reader.
func (c *lineCounter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	for _, b := range p[:n] {
		if b == '\n' {
			c.ended, c.bytes = c.ended+c.open(), 0
		} else {
			c.bytes, c.last = c.bytes+1, b
		}
	}
	c.lines.Store(c.ended + c.open())
	return n, err
}

// open is 1 where the line that has not ended yet will be an event: not if
// there is nothing in it, or a CR alone.
func (c *lineCounter) open() int64 {
	if c.bytes > 1 || c.bytes == 1 && c.last != '\r' {
		return 1
	}
	return 0
}

// readLine reads up to the next LF, without it and a CR before it. Of a line
// that is too long nothing is kept.
func readLine(b *bufio.Reader) (l line, err error) {
	for {
		var part []byte
		part, err = b.ReadSlice('\n')
		if l.tooLong = l.tooLong || len(l.data)+len(part) > longestLine; l.tooLong {
			l.data = nil
		} else {
			l.data = append(l.data, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
	}
	l.data = bytes.TrimSuffix(bytes.TrimSuffix(l.data, []byte("\n")), []byte("\r"))
	return l, err
}

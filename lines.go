package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
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

	left    int
	stopped chan struct{} // closed when gather has ended
}

// readLines reads r until its end or ctx's. Empty lines are left out: an event
// has data. Where ctx ends first, a read that is under way goes on without an
// owner until it returns: one from a terminal cannot be cancelled, and the
// program is about to end.
func readLines(ctx context.Context, r io.Reader) *lineReader {
	l := &lineReader{batches: make(chan []line), stopped: make(chan struct{})}
	lines := make(chan line)
	failed := make(chan error, 1)
	go scanLines(ctx, r, lines, failed)
	go l.gather(ctx, lines, failed)
	return l
}

// wait returns once nothing more comes, and how many lines were read that
// nobody took.
func (l *lineReader) wait() int {
	<-l.stopped
	return l.left
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
			batch, bytes = nil, 0
		case <-ctx.Done():
			l.left = len(batch)
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

package server

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	// intakeBuffer is what is read at a time.
	intakeBuffer = 16 << 10
	// intakeItems ends a batch: of lines that are hardly there a buffer holds
	// thousands, and what each becomes is many times as large.
	intakeItems = 256
	// intakeAhead is how many batches may wait while one is published. Each is
	// little more than a buffer or a line: with the one being read a stream
	// holds 2 MiB at most.
	intakeAhead = 4
)

// intake reads the lines of a publish stream in a goroutine of its own, so that
// what comes while others are published is published together.
type intake struct {
	maxLine int
	batches chan []batchItem // closed at the end of the body
	stopped chan struct{}
	err     error // why it ended, once batches is closed; nil: complete
}

// take starts reading lines of at most maxLine bytes. The caller stops the
// intake.
func take(body lineBody, maxLine int) *intake {
	in := &intake{maxLine: maxLine, batches: make(chan []batchItem, intakeAhead), stopped: make(chan struct{})}
	body.stopped = in.stopped
	go func() {
		defer close(in.batches)
		in.err = in.read(bufio.NewReaderSize(&body, intakeBuffer))
	}()
	return in
}

// stop ends the reading, which interrupt has the body do, and waits for it.
func (in *intake) stop(interrupt func()) {
	close(in.stopped)
	select {
	case _, more := <-in.batches:
		if !more {
			return // by itself: the connection may go on with another request
		}
	default:
	}
	interrupt()
	for range in.batches {
	}
}

// cut says that the body did not come whole, once batches is closed.
func (in *intake) cut() *apiError {
	if in.err == nil {
		return nil
	}
	return badRequest("the body did not come whole").because(in.err)
}

// read hands over the lines that have come whenever the next has not come whole.
func (in *intake) read(r *bufio.Reader) error {
	var batch []batchItem
	for {
		item, err := in.readLine(r)
		if len(item.raw) > 0 || item.err != nil {
			batch = append(batch, item)
		}
		if len(batch) == intakeItems || len(batch) > 0 && (err != nil || !hasLine(r) || len(item.raw) > intakeBuffer) {
			select {
			case in.batches <- batch:
				batch = nil
			case <-in.stopped:
				return nil
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// hasLine reports whether a whole line was read ahead.
func hasLine(r *bufio.Reader) bool {
	ahead, _ := r.Peek(r.Buffered())
	return bytes.IndexByte(ahead, '\n') >= 0
}

// readLine reads a line, of which one that is too long is passed over. A blank
// one is empty; a last one counts only when the body is known to be complete.
func (in *intake) readLine(r *bufio.Reader) (batchItem, error) {
	line, err := r.ReadSlice('\n')
	raw := bytes.Clone(line)
	for err == bufio.ErrBufferFull {
		if line, err = r.ReadSlice('\n'); len(raw) <= in.maxLine {
			raw = append(raw, line...)
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return batchItem{}, err
	}
	if len(raw) > in.maxLine {
		return batchItem{err: fault(codeTooLarge, fmt.Sprintf("a line has at most %d bytes", in.maxLine))}, err
	}
	if raw = bytes.TrimSpace(raw); len(raw) == 0 {
		return batchItem{}, err
	}
	return batchItem{raw, checkObject(raw)}, err
}

// lineBody is a body of lines. The next line may take its time; the rest of one
// that is begun, of which bytes are held, has to come within wait.
type lineBody struct {
	io.Reader
	deadline func(time.Time) error // for reads; the zero time takes it off
	wait     time.Duration

	stopped chan struct{} // closed before the body is interrupted by a deadline
	begun   bool          // what was read last ended within a line
}

func (b *lineBody) Read(p []byte) (n int, err error) {
	select {
	case <-b.stopped:
		return 0, net.ErrClosed
	default:
	}
	n, err = b.Reader.Read(p)
	if end := bytes.LastIndexByte(p[:n], '\n'); end >= 0 || n > 0 && !b.begun {
		b.begins(end < n-1)
	}
	return n, err
}

// begins says whether a line has begun, from whose time on it is bounded.
func (b *lineBody) begins(begun bool) {
	switch {
	case begun:
		_ = b.deadline(time.Now().Add(b.wait))
	case b.begun:
		_ = b.deadline(time.Time{})
	}
	b.begun = begun
}

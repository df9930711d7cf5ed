package server

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	// maxLine is how long a line of a publish stream may be: an event of 64 KiB
	// whose every byte was escaped once, and what stands around it.
	maxLine = 128 << 10
	// intakeBuffer is what is read at a time.
	intakeBuffer = 16 << 10
	// intakeAhead is how many batches may wait while one is published. Each is
	// little more than a buffer or a line, so that with the one being read a
	// stream holds at most a megabyte.
	intakeAhead = 6
)

// intake reads the lines of a publish stream in a goroutine of its own, so that
// what comes while others are published is published together.
type intake struct {
	batches chan []batchItem // closed at the end of the body
	stopped chan struct{}
	err     error // why it ended, once batches is closed; nil: complete
}

// take starts reading. The caller stops the intake.
func take(body io.Reader) *intake {
	in := &intake{batches: make(chan []batchItem, intakeAhead), stopped: make(chan struct{})}
	go func() {
		defer close(in.batches)
		in.err = in.read(bufio.NewReaderSize(body, intakeBuffer))
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

// read hands over the lines that have come whenever the next is not there yet.
func (in *intake) read(r *bufio.Reader) error {
	var batch []batchItem
	for {
		item, err := readLine(r)
		if len(item.raw) > 0 || item.err != nil {
			batch = append(batch, item)
		}
		if len(batch) > 0 && (err != nil || r.Buffered() == 0 || len(item.raw) > intakeBuffer) {
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

// readLine reads a line, of which one that is too long is passed over. A blank
// one is empty; a last one counts only when the body is known to be complete.
func readLine(r *bufio.Reader) (batchItem, error) {
	line, err := r.ReadSlice('\n')
	raw := bytes.Clone(line)
	for err == bufio.ErrBufferFull {
		if line, err = r.ReadSlice('\n'); len(raw) <= maxLine {
			raw = append(raw, line...)
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return batchItem{}, err
	}
	if len(raw) > maxLine {
		return batchItem{err: fault(codeTooLarge, fmt.Sprintf("a line has at most %d bytes", maxLine))}, err
	}
	if raw = bytes.TrimSpace(raw); len(raw) == 0 {
		return batchItem{}, err
	}
	return batchItem{raw, checkObject(raw)}, err
}

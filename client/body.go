package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

var (
	errSilent   = errors.New("the hub has been silent for too long")
	errTooLarge = &Error{Code: "too_large", Message: "an event is larger than the client accepts (Options.MaxEvent)"}
)

// watchdog cancels a connection that a read has waited on for too long. It
// counts the time spent waiting for the hub only, not that of a slow handler.
type watchdog struct {
	patience atomic.Int64 // nanoseconds
	timer    *time.Timer
}

func newWatchdog(patience time.Duration, cancel context.CancelCauseFunc) *watchdog {
	w := &watchdog{timer: time.AfterFunc(patience, func() { cancel(errSilent) })}
	w.patience.Store(int64(patience))
	return w
}

func (w *watchdog) arm()  { w.timer.Reset(time.Duration(w.patience.Load())) }
func (w *watchdog) rest() { w.timer.Stop() }

// feedTransport makes the body of a feed pass whole blocks only, and keeps the
// watchdog informed.
type feedTransport struct {
	base http.RoundTripper
	dog  *watchdog
	max  int // bytes that a block may have
}

func (t *feedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.dog.arm()
	resp, err := t.base.RoundTrip(r)
	t.dog.rest()
	if err == nil && resp.StatusCode == http.StatusOK {
		resp.Body = &blockReader{body: resp.Body, dog: t.dog, max: t.max}
	}
	return resp, err
}

// blockReader forwards a stream up to its last blank line. What was cut off
// stays behind: a parser of event streams takes the rest before an error for
// an event, though the standard has it dropped (HTML, 9.2.6).
type blockReader struct {
	body   io.ReadCloser
	dog    *watchdog
	max    int
	buf    []byte
	passed int // buf[:passed] has been read
	whole  int // buf[:whole] ends with a blank line
	err    error
}

// Read returns bytes of whole blocks, or the body's error once they are used up.
func (b *blockReader) Read(p []byte) (int, error) {
	for b.passed == b.whole {
		if b.err != nil {
			return 0, b.err
		}
		b.fill()
	}
	n := copy(p, b.buf[b.passed:b.whole])
	b.passed += n
	return n, nil
}

// Close closes the body.
func (b *blockReader) Close() error {
	b.dog.rest()
	return b.body.Close()
}

// readSize is what one read of the body asks for.
const readSize = 4 << 10

func (b *blockReader) fill() {
	b.buf = append(b.buf[:0], b.buf[b.passed:]...)
	b.passed, b.whole = 0, 0
	old := len(b.buf)
	if old > b.max {
		b.err = errTooLarge
		return
	}
	b.buf = append(b.buf, make([]byte, readSize)...)
	b.dog.arm()
	n, err := b.body.Read(b.buf[old:])
	b.dog.rest()
	b.buf, b.err = b.buf[:old+n], err
	b.whole = lastBlank(b.buf, old)
}

// lastBlank returns where the last blank line of buf ends, 0 if there is none;
// buf[:seen] is known to have none. Lines end in LF, CR or CR LF.
func lastBlank(buf []byte, seen int) int {
	from := max(0, seen-3) // the longest end of a block has four bytes
	end := 0
	for _, blank := range [...]string{"\n\n", "\r\r", "\n\r\n"} {
		if i := bytes.LastIndex(buf[from:], []byte(blank)); i >= 0 {
			end = max(end, from+i+len(blank))
		}
	}
	return end
}

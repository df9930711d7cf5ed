package server

import (
	"math"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"runnel/auth"
)

// publishStream is POST /events?stream=true: lines of NDJSON for as long as the
// publisher likes and its token lasts. Each line's result is a line of the
// answer, in order, while further ones still come in.
func (s *Server) publishStream(c echo.Context) error {
	claims, err := s.prepareStream(c.Request())
	if err != nil {
		return err
	}
	var a admission
	if err := s.admit(&a, c.Request(), claims, &s.open.publish); err != nil {
		return err
	}
	defer a.release()
	p := &publishStream{server: s, c: c, claims: claims, control: http.NewResponseController(c.Response().Unwrap())}
	p.open()
	in := take(lineBody{Reader: c.Request().Body, deadline: p.control.SetReadDeadline, wait: s.limits.BodyWait}, int(maxMessage(s.limits.Data)))
	defer in.stop(func() { _ = p.control.SetReadDeadline(time.Unix(1, 0)) })
	if why := p.run(in); why != nil {
		p.end(why)
	}
	return nil
}

// prepareStream checks who publishes, and what.
func (s *Server) prepareStream(r *http.Request) (*auth.Claims, error) {
	if s.draining() {
		return nil, errDraining
	}
	claims, err := s.authenticate(r)
	if err != nil {
		return nil, err
	}
	if err := s.requests.pass(claims); err != nil {
		return nil, err
	}
	const wanted = "application/x-ndjson"
	if err := isPlain(r); err != nil {
		return nil, err
	}
	kind, err := contentType(r, wanted)
	if err == nil && kind != wanted {
		err = fault(codeUnsupportedMedia, "with stream=true the Content-Type has to be "+wanted)
	}
	return claims, err
}

// publishStream is one under way.
type publishStream struct {
	server  *Server
	c       echo.Context
	claims  *auth.Claims
	control *http.ResponseController
	refused int // items in a row that were beyond the rate
}

// open answers at once, so that the publisher knows that it may send. Over
// HTTP/1 the answer would else begin with the end of the body.
func (p *publishStream) open() {
	_ = p.control.EnableFullDuplex() // HTTP/2 is
	_ = p.control.SetReadDeadline(time.Time{})
	h := p.c.Response().Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("X-Accel-Buffering", "no") // nginx would hold results back
	p.c.Response().WriteHeader(http.StatusOK)
	_ = p.write(nil, true)
}

// run publishes what comes in until the publisher is done. Else it says why the
// stream ends before: then everything that was published has had its result.
func (p *publishStream) run(in *intake) (why *apiError) {
	expired := time.NewTimer(waitWithin(math.MaxInt64, p.claims))
	defer expired.Stop()
	beat := time.NewTicker(p.server.hub.pace.Heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case items, more := <-in.batches:
			if !more {
				return in.cut()
			}
			if err := p.server.stillHolds(p.claims); err != nil {
				return describe(err)
			}
			if p.refused >= p.server.limits.MessageRefusals {
				return errPublishedTooMuch
			}
			err = p.publish(items, len(in.batches) == 0)
		case <-beat.C:
			err = p.write([]byte{'\n'}, true) // proxies cut what is silent
		case <-expired.C:
			return errExpired
		case <-p.server.hub.draining:
			return errDraining
		}
		if err != nil {
			return nil // nobody is there to be told
		}
	}
}

// errPublishedTooMuch ends the stream of a publisher that was told often enough.
var errPublishedTooMuch = fault(codeRateLimited, "too many items beyond the rate; slow down")

// publish publishes items and writes their results, with pause because no more
// are at hand. A publisher that does not read its results is cut.
func (p *publishStream) publish(items []batchItem, pause bool) error {
	may := p.server.requests.items(p.claims, len(items))
	if p.refused += len(items) - may; may == len(items) {
		p.refused = 0
	}
	var b []byte
	for _, o := range p.server.publishMany(p.server.hub.ctx, p.claims, items, may) {
		b = append(p.server.appendOutcome(b, o, p.c), '\n')
	}
	return p.write(b, pause)
}

// write has no deadline left behind: HTTP/2 resets a stream at it, even one
// that nothing is written to.
func (p *publishStream) write(b []byte, flush bool) error {
	_ = p.control.SetWriteDeadline(time.Now().Add(p.server.limits.AnswerWait))
	defer func() { _ = p.control.SetWriteDeadline(time.Time{}) }()
	_, err := p.c.Response().Write(b)
	if err == nil && flush {
		err = p.control.Flush()
	}
	return err
}

// end says why the hub reads no further. What has no result then was not
// published, which a connection that breaks leaves open.
func (p *publishStream) end(why *apiError) {
	p.server.note(p.c, why)
	b := appendError([]byte(`{"end":`), why, requestID(p.c))
	_ = p.write(append(b, "}\n"...), true)
}

package server

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// readBody reads a request's body of at most limit bytes, which has to come
// within Limits.BodyWait (see deadlines).
func readBody(c echo.Context, what string, limit int) ([]byte, error) {
	r := c.Request()
	if err := isPlain(r); err != nil {
		return nil, err
	}
	if r.ContentLength > int64(limit) {
		return nil, tooLarge(what, limit)
	}
	body, err := readAll(bounded(c, limit), r.ContentLength)
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, tooLarge(what, limit)
	}
	if err != nil {
		return nil, badRequest("the body did not come whole").because(err)
	}
	// What follows may wait for the log longer than a body may take to come.
	_ = http.NewResponseController(c.Response().Writer).SetReadDeadline(time.Time{})
	return body, nil
}

// isPlain refuses a body that would have to be decoded.
func isPlain(r *http.Request) error {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return fault(codeUnsupportedMedia, "bodies are taken as they are, without Content-Encoding")
	}
	return nil
}

// bounded is the request's body up to that many bytes; one of a known length
// has been compared already.
func bounded(c echo.Context, limit int) io.Reader {
	if r := c.Request(); r.ContentLength >= 0 {
		return r.Body
	}
	return http.MaxBytesReader(c.Response().Writer, c.Request().Body, int64(limit))
}

// eagerBody is how much memory a body gets before its bytes have come: what an
// event may have. A larger one gets it as it comes, for whoever only announces
// a megabyte must not hold one.
const eagerBody = 64 << 10

// readAll reads to the end into memory of just the size: a published body
// stays in the tail for as long as the event does.
func readAll(r io.Reader, size int64) ([]byte, error) {
	if size < 0 || size > eagerBody {
		body, err := io.ReadAll(r)
		return bytes.Clone(body), err
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	// The end has to be seen: net/http watches for the client's hanging up
	// only from there on.
	_, err := r.Read(make([]byte, 1))
	if err == io.EOF {
		err = nil
	}
	return body, err
}

// contentType returns the request's media type; 415 when it has none or one
// that is not in UTF-8.
func contentType(r *http.Request, wanted string) (string, error) {
	value := r.Header.Get("Content-Type")
	kind, params, err := mime.ParseMediaType(value)
	if err != nil {
		return "", fault(codeUnsupportedMedia, "the Content-Type has to be "+wanted)
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return "", fault(codeUnsupportedMedia, "the charset has to be utf-8")
	}
	return kind, nil
}

// answer writes a JSON answer.
func answer(c echo.Context, status int, body []byte) error {
	w := c.Response()
	w.Header()["Content-Type"] = typeJSON
	w.WriteHeader(status)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(body)
	return err
}

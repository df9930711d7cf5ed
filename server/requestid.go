package server

import (
	"math/rand/v2"
	"strconv"

	"github.com/labstack/echo/v4"
)

const requestIDHeader = "X-Request-Id"

// maxRequestID keeps what a proxy or client names its request short enough
// for a log line.
const maxRequestID = 64

// nameRequest gives the request the ID its proxy or client gave it, if it is
// one that cannot disturb a log line, else a new one.
func nameRequest(c echo.Context) {
	id := c.Request().Header.Get(requestIDHeader)
	if !goodRequestID(id) {
		id = newRequestID()
	}
	c.Response().Header().Set(requestIDHeader, id)
}

// newRequestID is of 80 bits, which nobody needs to be unable to guess.
func newRequestID() string {
	b := strconv.AppendUint(make([]byte, 0, 18), rand.Uint64(), 36)
	return string(strconv.AppendUint(b, uint64(rand.Uint32()), 36))
}

// requestID is the request's ID, for error answers and log lines.
func requestID(c echo.Context) string { return c.Response().Header().Get(requestIDHeader) }

func goodRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

package server

import (
	"errors"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"runnel/spelling"
)

// pagePaths are those of pages that are worth naming.
var pagePaths = []string{"/operator", "/lab", "/runnel.js"}

// addresses are the paths that exist, with and without a channel's name in them.
type addresses struct{ flat, ofChannels spelling.Names }

// inChannel stands for a channel's name.
const inChannel = "{channel}"

func newAddresses(e *echo.Echo, page Page) addresses {
	var flat, ofChannels []string
	for _, r := range e.Routes() {
		switch path := strings.ReplaceAll(r.Path, ":channel", inChannel); {
		case strings.HasPrefix(path, "/debug/"):
		case strings.Contains(path, inChannel):
			ofChannels = append(ofChannels, path)
		case path != "/":
			flat = append(flat, path)
		}
	}
	for _, path := range pagePaths {
		if page != nil && page.Has(path) {
			flat = append(flat, path)
		}
	}
	return addresses{spelling.Of(flat...), spelling.Of(ofChannels...)}
}

// nearest is the address that was probably meant, "" where none is near: up to
// three letters are wrong, and no more than one in three.
func (a addresses) nearest(path string) string {
	path = strings.TrimSuffix(path, "/")
	if near := a.flat.Nearest(path, min(3, len(path)/3)); near != "" {
		return near
	}
	parts := strings.Split(path, "/")
	if len(parts) < 3 || len(parts) > 5 {
		return ""
	}
	parts[2] = inChannel
	path = strings.Join(parts, "/")
	return a.ofChannels.Nearest(path, min(3, (len(path)-len(inChannel))/3))
}

// orNearest names the nearest address to those who ask for one that does not exist.
func orNearest(e *echo.Echo, page Page) echo.MiddlewareFunc {
	known := sync.OnceValue(func() addresses { return newAddresses(e, page) })
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			err := next(c)
			if !errors.Is(err, echo.ErrNotFound) {
				return err
			}
			near := known().nearest(c.Request().URL.Path)
			if near == "" {
				return err
			}
			return fault(codeNotFound, "there is nothing here; perhaps you mean "+near)
		}
	}
}

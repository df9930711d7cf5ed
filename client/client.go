package client

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Options configure a [Client]. Only URL is required.
type Options struct {
	// URL is where the hub is, such as "http://127.0.0.1:8080"; it may have a
	// path, where a proxy serves the hub below one.
	URL string

	// Token is the JWT or API key to send as bearer; empty in demo mode.
	Token string

	// TokenFunc is asked for a token instead, at first and whenever the hub
	// calls the last one expired or about to. Calls do not overlap.
	TokenFunc func(context.Context) (string, error)

	// HTTPClient makes the requests; nil for one of the Client's own. Its
	// Timeout does not count: it would end feeds. Redirects are not followed
	// unless its CheckRedirect says so: they would turn a POST into a GET.
	HTTPClient *http.Client

	// Logger hears of retries and reconnects; nil for silence.
	Logger *slog.Logger

	// MaxEvent is the size in bytes of the largest event to accept, 64 KiB if
	// zero, as is the hub's own limit.
	MaxEvent int
}

// Client talks to one hub, or to any number of nodes behind one URL. Its
// methods may be called from many goroutines at once.
type Client struct {
	base   string
	shown  string // base for messages, without a password
	tokens *tokens
	http   *http.Client
	own    *http.Transport // to be closed by Close; nil when the caller gave an HTTPClient
	log    *slog.Logger
	max    int
	times  times

	reached atomic.Bool // something answered at base once
}

// times are the client's waits; tests shorten them.
type times struct {
	attempt  time.Duration // one POST may take so long: a hub answers or gives up within about ten seconds
	keyLife  time.Duration // a publish of unknown outcome is repeated for so long
	patience time.Duration // silence that is borne before a feed's welcome
	first    time.Duration // the first delay before a retry
	longest  time.Duration // delays grow to this, and a hub may ask for no more
}

// defaultTimes: keyLife is the hub's five minutes less half a minute for an
// attempt that is under way when they end.
var defaultTimes = times{
	attempt:  20 * time.Second,
	keyLife:  4*time.Minute + 30*time.Second,
	patience: 30 * time.Second,
	first:    500 * time.Millisecond,
	longest:  30 * time.Second,
}

const defaultMaxEvent = 64 << 10

// New returns a client for the hub at o.URL. It makes no request yet; the
// only error is a URL that cannot be right.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is no hub's URL, such as http://127.0.0.1:8080", o.URL)
	}
	c := &Client{
		base:   strings.TrimRight(u.String(), "/"),
		shown:  strings.TrimRight(u.Redacted(), "/"),
		tokens: newTokens(o.Token, o.TokenFunc),
		log:    o.Logger,
		max:    o.MaxEvent,
		times:  defaultTimes,
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.max <= 0 {
		c.max = defaultMaxEvent
	}
	c.http = c.httpClient(o.HTTPClient)
	return c, nil
}

// Close lets go of idle connections. It does not end what is under way:
// contexts do.
func (c *Client) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

func (c *Client) httpClient(given *http.Client) *http.Client {
	var h http.Client
	if given != nil {
		h = *given
	}
	if h.Transport == nil {
		c.own = http.DefaultTransport.(*http.Transport).Clone()
		h.Transport = c.own
	}
	if h.CheckRedirect == nil {
		h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	h.Timeout = 0
	return &h
}

func (c *Client) channelURL(channel string) string {
	return c.base + "/channels/" + url.PathEscape(channel) + "/events"
}

// do sends a request with the token, if there is one.
func (c *Client) do(r *http.Request, token string) (*http.Response, error) {
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(r)
	if err == nil {
		c.reached.Store(true)
		return resp, nil
	}
	if dial := dialError(err); dial != nil {
		return nil, &unreachableError{c.shown, c.reached.Load(), dial}
	}
	return nil, err
}

// rounded is a wait as people read it.
func rounded(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}

// sleep waits for d, or for the end of ctx, whose error it returns.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

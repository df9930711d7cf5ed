package client

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gopkg.in/cenkalti/backoff.v1"
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
	tokens *tokens
	http   *http.Client
	own    *http.Transport // to be closed by Close; nil when the caller gave an HTTPClient
	log    *slog.Logger
	max    int
	times  times
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

// newBackoff gives growing, jittered delays without an end.
func (c *Client) newBackoff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval = c.times.first
	b.MaxInterval = c.times.longest
	b.MaxElapsedTime = 0 // by default it gives up 15 minutes after it was made
	b.Reset()
	return b
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

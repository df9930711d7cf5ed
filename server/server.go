// Package server is the hub's HTTP surface: publishing, feeds over
// Server-Sent Events and WebSocket, history, and what operators look at.
//
// Begin with [New]; [Server.Serve] serves until its context ends, then drains.
package server

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"golang.org/x/time/rate"

	"runnel/auth"
	"runnel/streams"
)

// Config is what a Server is made of. Broker and Verifier are required; they
// are the caller's to close, once Serve has returned.
type Config struct {
	Broker   *streams.Broker
	Verifier *auth.Verifier
	Logger   *slog.Logger // default: none

	Node    string // this node's name, told to clients; default: the host's name
	Version string
	Store   string // what to call the store where an operator reads it, without its password

	Limits     Limits         // the zero Limits: DefaultLimits()
	TrustProxy []netip.Prefix // whose X-Forwarded-For counts

	Pace  Pace          // heartbeats and pings
	Drain time.Duration // over what time feeds are told to move when Serve ends, default 10 s

	// CompressFrom is from how many bytes of data on an event is compressed for
	// WebSockets that can take it (permessage-deflate): below, it saves less
	// than it costs. 0: never.
	CompressFrom int

	TLSCert, TLSKey string // PEM files, read again when they change; "": plain HTTP

	// AdminListen is the address on which AdminHandler is served, with metrics
	// and pprof. "": an admin token opens them on the public surface.
	AdminListen string
	// AdminHosts are names that requests to it may have as their Host, beside
	// the one in AdminListen, IP addresses and localhost.
	AdminHosts []string

	// Page answers for what it has, whatever the method; nil: GET / gives name
	// and version.
	Page Page

	// Reconnects is how often a connection to the store was made anew; nil
	// for a store without connections.
	Reconnects func() uint64
}

// Page is what browsers get beside the hub's own surface. It checks by itself
// who may do more than read.
type Page interface {
	http.Handler
	Has(path string) bool
}

// Server serves a broker to clients.
type Server struct {
	broker   *streams.Broker
	verifier *auth.Verifier
	log      *slog.Logger

	node, version, store string
	started              time.Time

	limits      Limits
	drainOver   time.Duration
	page        Page
	adminListen string
	adminNames  []string // what requests to it may have as their Host
	reconnects  func() uint64
	certificate *certificate // nil without TLS
	deflate     *wsDeflate   // nil: never

	addresses  *clientAddresses
	places     *places
	admissions *admissions
	requests   *requests
	answers    *answers
	metrics    *metrics
	meter      meter
	outages    rate.Sometimes // for log lines
	shortages  rate.Sometimes // the same
	hub        *hub
	open       openFeeds

	handler, admin http.Handler
}

// New makes a server. It reads the TLS files; an error says what is wrong
// with the configuration.
func New(c Config) (*Server, error) {
	if c.Broker == nil || c.Verifier == nil {
		return nil, errors.New("server: Config needs a Broker and a Verifier")
	}
	if err := c.setDefaults(); err != nil {
		return nil, err
	}
	s := &Server{
		broker: c.Broker, verifier: c.Verifier, log: c.Logger,
		node: c.Node, version: c.Version, store: c.Store, started: time.Now(),
		limits: c.Limits, drainOver: c.Drain, page: c.Page,
		adminListen: c.AdminListen, adminNames: adminNames(&c), reconnects: c.Reconnects,
		admissions: newAdmissions(c.Limits), requests: newRequests(c.Limits),
		outages: rate.Sometimes{Interval: time.Second}, shortages: rate.Sometimes{Interval: time.Minute},
	}
	if c.CompressFrom > 0 {
		s.deflate = &wsDeflate{from: c.CompressFrom}
	}
	s.addresses = &clientAddresses{trusted: c.TrustProxy, warn: s.warnForwarded}
	s.places = newPlaces(c.Limits, s.addresses.trusts, s.warnScarce)
	if c.TLSCert != "" || c.TLSKey != "" {
		var err error
		if s.certificate, err = loadCertificate(c.TLSCert, c.TLSKey, s.log); err != nil {
			return nil, err
		}
	}
	s.metrics = newMetrics(s)
	s.hub = newHub(c.Pace, s.log, s.metrics.latency.observe)
	s.answers = newAnswers(s.hub.draining)
	s.handler, s.admin = s.routes(), s.adminSurface()
	return s, nil
}

func (c *Config) setDefaults() error {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Node == "" {
		c.Node, _ = os.Hostname()
	}
	c.Pace.setDefaults()
	if c.Drain == 0 {
		c.Drain = 10 * time.Second
	}
	if c.Reconnects == nil {
		c.Reconnects = func() uint64 { return 0 }
	}
	if c.Limits == (Limits{}) {
		c.Limits = DefaultLimits()
	}
	if c.Limits.Files == 0 {
		c.Limits.Files = openFiles()
	}
	if c.Limits.Connections == 0 {
		c.Limits.Connections = connectionsFor(c.Limits.Files)
	}
	return c.Limits.check()
}

func adminNames(c *Config) []string {
	name, _, _ := net.SplitHostPort(c.AdminListen)
	return append([]string{name}, c.AdminHosts...)
}

func (s *Server) warnForwarded(peer netip.Addr) {
	s.log.Warn("a request came with X-Forwarded-For from an address that is not trusted, so the header does not count; "+
		"if that is your proxy, name it with --trust-proxy, for limits per client are its limits now",
		"peer", peer.String())
}

func (s *Server) warnScarce() {
	s.shortages.Do(func() {
		s.log.Warn("connections have all the files that they may; who waits without a request is closed for who comes, and where nobody waits who comes is closed; "+
			"allow more open files (ulimit -n, LimitNOFILE=)", "files", s.limits.Files)
	})
}

// Handler is the public surface.
func (s *Server) Handler() http.Handler { return s.handler }

// AdminHandler is what operators see: health, metrics and pprof, without a
// token, for an address that only they reach.
func (s *Server) AdminHandler() http.Handler { return s.admin }

// draining reports whether the node is about to end.
func (s *Server) draining() bool { return s.hub.isDraining() }

// Close ends every feed at once and waits for their goroutines. Serve does it;
// it is for whoever uses the Handler alone.
func (s *Server) Close() { s.hub.close() }

func (s *Server) uptime() time.Duration { return time.Since(s.started) }

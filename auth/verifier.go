package auth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

// Config says which keys and origins count. All of it is optional; without
// any key the hub is in demo mode.
type Config struct {
	Secrets    [][]byte // for HS256, each at least 32 bytes; several while one replaces another
	PublicKeys [][]byte // PEM: RSA from 2048 bits (RS256), EC P-256 (ES256), Ed25519 (EdDSA)
	JWKS       string   // https:// or http:// URL, or file, of a JSON Web Key Set
	Issuer     string   // what "iss" has to be; "": anything
	Audience   string   // what "aud" has to contain; "": anything
	APIKeys    []APIKey

	// Origins are web pages allowed besides the hub's own: "https://app.example.com",
	// "https://*.example.com" (subdomains of any depth, not example.com
	// itself), or "*". The last lets every page in that brings its own token, but none
	// with a cookie: any page can make a browser send that.
	Origins []string

	// Scheme says by which scheme the client sent a request ("http", "https"),
	// so that a trusted proxy's word can count. Nil: by whether the
	// connection has TLS.
	Scheme func(*http.Request) string

	// Records are what nodes that share a log share: the keys of tickets, and
	// which were used. Nil: a single-use ticket is good on this node and in this process only; one
	// for channels wherever there is the same secret, or API key of 32
	// characters or more.
	Records Records
	Logger  *slog.Logger // nil: slog.Default()
}

func (c Config) demo() bool {
	return len(c.Secrets) == 0 && len(c.PublicKeys) == 0 && len(c.APIKeys) == 0 && c.JWKS == ""
}

// Verifier checks credentials by rules that can be replaced while it is in
// use. All methods may be called from many goroutines at once.
type Verifier struct {
	rules   atomic.Pointer[rules]
	records Records
	logger  *slog.Logger
	pace    pace
	outages rate.Sometimes // for log lines

	ticketKeys ticketKeys
	users      turns // in using tickets up

	mu     sync.Mutex // Reload and Close, one at a time
	closed bool
}

// rules is a checked Config; it never changes.
type rules struct {
	demo      bool
	parser    *jwt.Parser
	keys      keyring
	apiKeys   []apiKey
	set       *keySet // nil without JWKS
	setSource string
	sources   map[string]string // of all keys, and the rights that they give
	issuer    string
	audience  string
	// ticketKeys are made from secrets; they count without records only.
	ticketKeys []ticketKey
	origins    origins
	scheme     func(*http.Request) string
}

// New checks the configuration and reads the keys. The context bounds only
// the first reading of a JWKS URL: while that cannot be reached, its tokens are
// ErrUnavailable and it is tried again in the background, until Close. An
// error says what is wrong with the configuration.
func New(ctx context.Context, c Config) (*Verifier, error) { return open(ctx, c, usualPace) }

func open(ctx context.Context, c Config, p pace) (*Verifier, error) {
	v := &Verifier{records: c.Records, logger: c.Logger, pace: p, users: turns{keys: make(map[string]*turn)}, outages: rate.Sometimes{Interval: time.Second}}
	if v.logger == nil {
		v.logger = slog.Default()
	}
	if err := v.openTickets(); err != nil {
		return nil, err
	}
	if err := v.Reload(ctx, c); err != nil {
		return nil, err
	}
	return v, nil
}

// openTickets has the keys and uses of tickets kept where all nodes find them,
// or in this process.
func (v *Verifier) openTickets() (err error) {
	if v.records != nil {
		v.ticketKeys = newStoredKeys(v.records)
		return nil
	}
	v.records = newProcessRecords()
	v.ticketKeys, err = newProcessKeys(&v.rules)
	return err
}

// Reload replaces all rules at once, or on an error none. Records and Logger
// of c do not count. A hub with keys does not fall back to demo mode: a
// file that lost its keys by mistake must not open it to everybody.
//
// What is connected stays so; see [Verifier.Holds].
func (v *Verifier) Reload(ctx context.Context, c Config) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return errors.New("the verifier is closed")
	}
	old := v.rules.Load()
	if old != nil && !old.demo && c.demo() {
		return errors.New("no key is configured any more: the old ones stay; restart for demo mode")
	}
	r, err := newRules(c)
	if err != nil {
		return err
	}
	if r.set, err = v.keySet(ctx, old, c); err != nil {
		return err
	}
	r.goOnCounting(old)
	v.rules.Store(r)
	if old != nil && old.set != nil && old.set != r.set {
		old.set.close()
	}
	v.tell(c, r)
	return nil
}

// keySet opens the set of c, or has the old one read again where it is the
// same, so that a server being away just then costs no keys.
func (v *Verifier) keySet(ctx context.Context, old *rules, c Config) (*keySet, error) {
	if c.JWKS == "" {
		return nil, nil
	}
	if old == nil || old.set == nil || old.set.where != c.JWKS {
		return openKeySet(ctx, c.JWKS, v.pace, v.logger)
	}
	return old.set, old.set.again(ctx)
}

func (v *Verifier) tell(c Config, r *rules) {
	if names := r.keyNames(); len(names) > 0 {
		v.logger.Info("API keys have names, which are no part of them", "keys", len(r.apiKeys), "names", strings.Join(names, ", "))
	}
	if c.JWKS != "" && c.Issuer == "" && c.Audience == "" {
		v.logger.Warn("the key set's tokens count whoever they were issued for; set the issuer or audience to expect")
	}
}

func newRules(c Config) (*rules, error) {
	r := &rules{demo: c.demo(), issuer: c.Issuer, audience: c.Audience, scheme: c.Scheme}
	var err error
	if r.keys, err = newKeyring(c); err != nil {
		return nil, err
	}
	if r.apiKeys, err = newAPIKeys(c); err != nil {
		return nil, err
	}
	if r.ticketKeys, err = madeTicketKeys(c); err != nil {
		return nil, err
	}
	if r.origins, err = newOrigins(c.Origins); err != nil {
		return nil, err
	}
	if c.JWKS != "" {
		r.setSource = c.source("jwks", []byte(c.JWKS))
	}
	if r.scheme == nil {
		r.scheme = schemeOf
	}
	r.parser = jwt.NewParser(jwt.WithValidMethods(r.methods()), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	r.sources = r.allSources()
	return r, nil
}

// methods are the algorithms there is a key for.
func (r *rules) methods() []string {
	methods := []string{}
	for _, alg := range []string{hs256, rs256, es256, eddsa} {
		if len(r.keys[alg]) > 0 || r.setSource != "" && alg != hs256 {
			methods = append(methods, alg)
		}
	}
	return methods
}

func (r *rules) allSources() map[string]string {
	sources := make(map[string]string)
	for _, keys := range r.keys {
		for _, k := range keys {
			sources[k.source] = ""
		}
	}
	for _, k := range r.apiKeys {
		sources[k.claims.source] = k.claims.rights
	}
	if r.setSource != "" {
		sources[r.setSource] = ""
	}
	if r.demo {
		sources[demoSource] = ""
	}
	return sources
}

// Demo reports whether no key is configured at all.
func (v *Verifier) Demo() bool { return v.rules.Load().demo }

// Verify checks a JWT or an API key that did not come with a request of its
// own, such as a WebSocket's first message. In demo mode there is nothing to
// check; the request that the connection came with must have passed
// [Verifier.Request].
func (v *Verifier) Verify(ctx context.Context, token string) (*Claims, error) {
	r := v.rules.Load()
	if r.demo {
		return demoClaims(), nil
	}
	return r.bearer(ctx, token)
}

// bearer checks a JWT or an API key.
func (r *rules) bearer(ctx context.Context, token string) (*Claims, error) {
	if token == "" || len(token) > maxToken {
		return nil, refuse(ErrInvalid, "the token is empty or longer than %d bytes", maxToken)
	}
	if c := r.findAPIKey(token); c != nil {
		return c, nil
	}
	return r.verify(ctx, token)
}

// Knows reports whether what vouched for the claims is still configured: the
// secret, public key or API key itself, or the key set's address; for tokens
// with the same issuer and audience.
func (v *Verifier) Knows(c *Claims) bool { return v.rules.Load().knows(c.source) }

func (r *rules) knows(source string) bool {
	_, known := r.sources[source]
	return known
}

// Holds reports whether the verifier knows what vouched for the claims, and it
// still gives them the same rights, where they are an API key's. To be asked
// after a [Verifier.Reload] about every connection.
func (v *Verifier) Holds(c *Claims) bool {
	rights, known := v.rules.Load().sources[c.source]
	return known && rights == c.rights
}

// Close ends the background work and waits for it. Tokens of keys that are
// known can still be checked.
func (v *Verifier) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if r := v.rules.Load(); !v.closed && r.set != nil {
		r.set.close()
	}
	v.closed = true
	return nil
}

package main

import (
	"time"

	"runnel/auth"
	"runnel/streams"
)

// Config is everything that can be configured of a hub. Flags go over the
// environment (PORT, REDIS_URL and RUNNEL_ before the flag's name in capitals),
// that over the YAML file, whose keys are the flags' names with _ for -.
type Config struct {
	// Loopback, so that a hub without keys is nobody else's. Platforms set
	// PORT for a process that shall be reached: all interfaces then.
	Listen string `group:"listen" default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Where to listen (${default}). PORT in the environment means all interfaces on that port."`
	// Metrics and pprof tell about users; they are for another address, or
	// behind an admin token.
	AdminListen string `group:"listen" placeholder:"ADDRESS" help:"Where to serve health, metrics and pprof without a token, such as 127.0.0.1:9090."`
	// Any page that an operator opens could reach it by a name of its own.
	AdminHost  list     `group:"listen" sep:"none" placeholder:"NAME" help:"What scrapers and operators call that address by, beside its IP address, such as runnel. Repeatable."`
	TLSCert    string   `group:"listen" name:"tls-cert" placeholder:"FILE" help:"Certificate chain (PEM); read again when it changes. Turns on TLS and HTTP/2."`
	TLSKey     string   `group:"listen" name:"tls-key" placeholder:"FILE" help:"Its private key (PEM)."`
	TrustProxy prefixes `group:"listen" sep:"none" placeholder:"CIDR" help:"Proxies whose X-Forwarded-For counts, such as 10.0.0.0/8. Repeatable."`

	// Memory needs nothing installed; clients are told when a restart lost history.
	Store string `group:"store" default:"memory:" placeholder:"STORE" help:"Where events are kept: memory: (default), bolt:FILE, redis://HOST, rediss://HOST or redis+unix:///PATH. REDIS_URL in the environment counts too."`
	// A thousand events and a day are what a reader who was away for a night
	// or a reload wants; both bound what a channel costs the store.
	History    int           `group:"store" default:"1000" placeholder:"N" help:"Events that each channel keeps (${default})."`
	HistoryAge time.Duration `group:"store" default:"24h" placeholder:"TIME" help:"How long it keeps them (${default})."`
	// A quarter of the smallest machine that one rents.
	Memory size `group:"store" default:"256MiB" placeholder:"SIZE" help:"What all history together may take with memory: (${default}); the oldest goes first."`
	// Reads only; appends and following have connections of their own.
	RedisPoolSize int `group:"store" default:"16" placeholder:"N" help:"Connections for reading history from Redis (${default})."`
	// Longer than a hiccup of the network, shorter than a client's patience.
	RedisDialTimeout time.Duration `group:"store" default:"3s" placeholder:"TIME" help:"How long connecting to Redis may take (${default})."`
	RedisTimeout     time.Duration `group:"store" default:"3s" placeholder:"TIME" help:"How long one answer of Redis may take (${default})."`
	// 0: the master alone answers at once, and a failover may lose a moment.
	RedisWait int `group:"store" default:"0" placeholder:"N" help:"Replicas of Redis that have to have an event before its publisher is answered (${default})."`

	JWTSecret    secrets `group:"keys" name:"jwt-secret" sep:"none" placeholder:"SECRET" help:"Secret of HS256 tokens, 32 bytes or more. Repeatable, while one replaces another; in the environment one a line."`
	JWTPublicKey list    `group:"keys" name:"jwt-public-key" sep:"none" placeholder:"FILE" help:"Public key (PEM) of RS256, ES256 or EdDSA tokens. Repeatable."`
	JWKS         string  `group:"keys" name:"jwks" placeholder:"URL|FILE" help:"JSON Web Key Set of tokens."`
	JWTIssuer    string  `group:"keys" name:"jwt-issuer" placeholder:"ISS" help:"What a token's iss has to be."`
	JWTAudience  string  `group:"keys" name:"jwt-audience" placeholder:"AUD" help:"What a token's aud has to contain."`
	APIKey       apiKeys `group:"keys" name:"api-key" sep:"none" placeholder:"[NAME:]KEY" help:"Key with which servers publish, 16 characters or more. Repeatable; in the environment one a line; in the file it may have rights."`
	Origin       list    `group:"keys" sep:"none" placeholder:"ORIGIN" help:"Pages of other hosts that may connect, such as https://app.example.com. Repeatable."`

	// 0: an operator who thinks of no number gets as many as can be.
	MaxConnections int `group:"limits" default:"0" placeholder:"N" help:"Feeds that this node carries (0: as many as the limit of open files allows)."`
	// Offices share an address; one machine shall not take the node for itself.
	MaxConnectionsPerIP int `group:"limits" name:"max-connections-per-ip" default:"500" placeholder:"N" help:"Feeds of one address (${default}; 0: no limit)."`
	// A person's tabs and devices; one more is likelier a loop that reconnects.
	MaxConnectionsPerUser int `group:"limits" default:"20" placeholder:"N" help:"Feeds of one user (${default}; 0: no limit)."`

	Config string `group:"running" placeholder:"FILE" help:"YAML file with any of these settings (api_key: for --api-key) and channels:, history rules by channel pattern."`
	// Below the 30 s after which many proxies cut a silent connection.
	Heartbeat time.Duration `group:"running" default:"25s" placeholder:"TIME" help:"Silence after which a feed gets a heartbeat (${default})."`
	// Often enough that a NAT or a proxy does not forget the connection.
	Ping time.Duration `group:"running" default:"30s" placeholder:"TIME" help:"How often a WebSocket peer is asked for a sign of life (${default})."`
	// Three heartbeats may be lost on the way before a peer counts as gone.
	Silence time.Duration `group:"running" default:"90s" placeholder:"TIME" help:"How long a peer may neither send nor take a byte (${default})."`
	// Below, compressing costs more than the bytes it saves.
	CompressFrom size `group:"running" default:"1KiB" placeholder:"SIZE" help:"Data from this size on is compressed for WebSockets that can take it (${default}; 0B: nothing is)."`
	// Platforms kill 10 to 30 seconds after SIGTERM.
	Drain     time.Duration `group:"running" default:"10s" placeholder:"TIME" help:"Over what time clients are told to move when the hub ends (${default})."`
	LogLevel  string        `group:"running" default:"info" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"debug, info, warn or error (${default})."`
	LogFormat string        `group:"running" default:"text" enum:"text,json" placeholder:"FORMAT" help:"text or json (${default})."`

	// Channels are history rules by channel; the first that matches counts.
	// In the file only: a list of rules has no place on a command line.
	Channels []ChannelRule `kong:"-"`

	reload func() (*Config, error)
}

// ChannelRule says what the channels that its pattern names keep. What is zero
// is as for all channels.
type ChannelRule struct {
	Pattern    auth.Pattern
	History    int
	HistoryAge time.Duration
}

// Run starts the hub with a configuration that has been checked.
func (c *Config) Run(s *surroundings) error {
	if err := c.check(); err != nil {
		return &usageError{err}
	}
	return serve(s.ctx, c, s.stdout, s.stderr)
}

// Reload reads flags, environment and file again, as at the start, and checks
// what they say. c stays as it is.
func (c *Config) Reload() (*Config, error) { return c.reload() }

// Retention says what a channel keeps.
func (c *Config) Retention(channel string) streams.Retention {
	keep := streams.Retention{Count: c.History, Age: c.HistoryAge}
	for _, rule := range c.Channels {
		if !rule.Pattern.Match(channel) {
			continue
		}
		if rule.History > 0 {
			keep.Count = rule.History
		}
		if rule.HistoryAge > 0 {
			keep.Age = rule.HistoryAge
		}
		break
	}
	return keep
}

// Demo reports whether there is no key at all.
func (c *Config) Demo() bool {
	return len(c.JWTSecret) == 0 && len(c.JWTPublicKey) == 0 && c.JWKS == "" && len(c.APIKey) == 0
}

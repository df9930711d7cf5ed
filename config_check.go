package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"runnel/auth"
)

// parseConfig reads a configuration and checks it.
func parseConfig(args []string, env variables) (*Config, error) {
	parsed, err := parse(args, env, io.Discard)
	if err != nil {
		return nil, err
	}
	c, ok := parsed.Selected().Target.Addr().Interface().(*Config)
	if !ok {
		return nil, errors.New("these arguments run no hub")
	}
	if err := c.check(); err != nil {
		return nil, &usageError{err}
	}
	return c, nil
}

// check names the first value that cannot be right, and what would be.
func (c *Config) check() error {
	return cmp.Or(
		checkAddress("--listen", c.Listen),
		checkAddress("--admin-listen", c.AdminListen),
		c.checkAdminHosts(),
		c.checkTLS(),
		checkStore(c.Store),
		c.checkReplicas(),
		c.checkNumbers(),
		c.checkAuth(),
		c.checkDemo(),
	)
}

func (c *Config) checkAdminHosts() error {
	for _, name := range c.AdminHost {
		if name == "" || strings.ContainsAny(name, ":/* ") {
			return fmt.Errorf("--admin-host: %q is no name of a host; write it without scheme and port, such as runnel", name)
		}
	}
	if len(c.AdminHost) > 0 && c.AdminListen == "" {
		return errors.New("--admin-host is what --admin-listen is called by, and that is not set")
	}
	return nil
}

func checkAddress(flag, address string) error {
	if address == "" && flag != "--listen" {
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("%s: %q is no address; write host:port, such as 127.0.0.1:8080, or :8080 for all interfaces", flag, address)
	}
	return nil
}

func (c *Config) checkTLS() error {
	switch {
	case c.TLSCert != "" && c.TLSKey == "":
		return errors.New("--tls-cert needs --tls-key, the file with the certificate's private key")
	case c.TLSCert == "" && c.TLSKey != "":
		return errors.New("--tls-key needs --tls-cert, the file with the certificate chain")
	}
	return nil
}

func checkStore(store string) error {
	const stores = "memory:, bolt:FILE, redis://HOST:PORT, rediss://HOST:PORT or redis+unix:///PATH"
	scheme, rest, _ := strings.Cut(store, ":")
	switch scheme {
	case "memory":
		if rest != "" {
			return fmt.Errorf("--store: nothing follows memory:, not %q", rest)
		}
	case "bolt":
		if rest == "" {
			return errors.New("--store: bolt: needs a file, such as bolt:runnel.db")
		}
	case "redis", "rediss", "redis+sentinel", "redis+cluster":
		// The URL can have a password: no message may quote it.
		if u, err := url.Parse(store); !strings.HasPrefix(rest, "//") || err == nil && u.Host == "" {
			return fmt.Errorf("--store: a Redis is written %s://user:password@host:6379/0, user, password and database where needed", scheme)
		}
	case "redis+unix":
		if u, err := url.Parse(store); !strings.HasPrefix(rest, "//") || err == nil && (u.Host != "" || len(u.Path) < 2) {
			return errors.New("--store: a Redis at a socket is written redis+unix:///run/redis.sock?db=0, with user:password@ before the path where needed")
		}
	default:
		return fmt.Errorf("--store: no store begins with %q; use %s", scheme, stores)
	}
	return nil
}

// checkReplicas refuses a promise that nothing would keep.
func (c *Config) checkReplicas() error {
	if c.RedisWait <= 0 || strings.HasPrefix(c.Store, "redis") {
		return nil
	}
	scheme, _, _ := strings.Cut(c.Store, ":")
	return fmt.Errorf("--redis-wait: only a Redis has replicas, and --store is %s:; set --store redis://HOST, or leave --redis-wait out", scheme)
}

func (c *Config) checkNumbers() error {
	return cmp.Or(
		atLeast("--history", c.History, 1),
		lasting("--history-age", c.HistoryAge, time.Second, 0),
		atLeast("--memory", c.Memory, 1<<20),
		atLeast("--redis-pool-size", c.RedisPoolSize, 1),
		lasting("--redis-dial-timeout", c.RedisDialTimeout, time.Millisecond, 0),
		lasting("--redis-timeout", c.RedisTimeout, time.Millisecond, 0),
		atLeast("--redis-wait", c.RedisWait, 0),
		atLeast("--max-connections", c.MaxConnections, 0),
		atLeast("--max-connections-per-ip", c.MaxConnectionsPerIP, 0),
		atLeast("--max-connections-per-user", c.MaxConnectionsPerUser, 0),
		// A minute is less than what a silent peer is given, and what clients
		// wait for twice.
		lasting("--heartbeat", c.Heartbeat, time.Second, time.Minute),
		lasting("--ping", c.Ping, time.Second, time.Hour),
		lasting("--silence", c.Silence, 2*c.Heartbeat, 24*time.Hour),
		lasting("--drain", c.Drain, 0, time.Hour),
	)
}

func atLeast[T ~int | ~int64](flag string, value, least T) error {
	if value < least {
		return fmt.Errorf("%s: %v is too little; %v is the least", flag, value, least)
	}
	return nil
}

// lasting checks a duration; most 0 is no bound.
func lasting(flag string, value, least, most time.Duration) error {
	switch {
	case value < least:
		return fmt.Errorf("%s: %s is too short; %s is the least", flag, spoken(value), spoken(least))
	case most > 0 && value > most:
		return fmt.Errorf("%s: %s is too long; %s is the most", flag, spoken(value), spoken(most))
	}
	return nil
}

// checkAuth tries the keys out, but for a key set: its server may be away.
func (c *Config) checkAuth() error {
	a, err := c.auth()
	if err != nil {
		return err
	}
	a.JWKS, a.Logger = "", slog.New(slog.DiscardHandler) // what it tells, it tells at the start
	v, err := auth.New(context.Background(), a)
	if err != nil {
		return err
	}
	return v.Close()
}

// auth is the configuration of who may do what. It reads the files of public keys.
func (c *Config) auth() (auth.Config, error) {
	a := auth.Config{JWKS: c.JWKS, Issuer: c.JWTIssuer, Audience: c.JWTAudience, APIKeys: c.APIKey, Origins: c.Origin}
	for _, s := range c.JWTSecret {
		a.Secrets = append(a.Secrets, []byte(s))
	}
	for _, file := range c.JWTPublicKey {
		key, err := os.ReadFile(file)
		if err != nil {
			return a, fmt.Errorf("--jwt-public-key: %w", err)
		}
		a.PublicKeys = append(a.PublicKeys, key)
	}
	return a, nil
}

// checkDemo refuses to open a hub without keys to anybody else's machine.
func (c *Config) checkDemo() error {
	if !c.Demo() {
		return nil
	}
	return cmp.Or(
		checkLoopback("--listen (or PORT)", c.Listen),
		checkLoopback("--admin-listen", c.AdminListen),
	)
}

func checkLoopback(flag, address string) error {
	if address == "" || loopback(address) {
		return nil
	}
	return fmt.Errorf("without a key the hub listens on loopback only, and %s says %s: set --api-key, --jwt-secret, --jwt-public-key or --jwks, or listen on 127.0.0.1", flag, address)
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

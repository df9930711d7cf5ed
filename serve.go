package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"runnel/auth"
	"runnel/server"
	"runnel/streams"
	"runnel/web"
)

// node is a running hub: its parts, in the order in which they are opened.
type node struct {
	name     string
	log      *slog.Logger
	config   atomic.Pointer[Config]     // replaced by a reload
	scheme   func(*http.Request) string // by the proxies that were trusted at the start
	store    *store
	verifier *auth.Verifier
	broker   *streams.Broker
	server   *server.Server
	lab      *lab // in demo mode, without TLS; else nil
}

// serve runs the hub until ctx ends and it has drained.
func serve(ctx context.Context, cfg *Config, stdout, stderr io.Writer) error {
	paceCollector()
	n := &node{name: nodeName(), log: cfg.Logger(stderr)}
	n.config.Store(cfg)
	err := n.open(ctx)
	defer n.close()
	if err != nil {
		return err
	}
	listener, err := listen("--listen", cfg.Listen)
	if err != nil {
		return err
	}
	n.greet(stdout, listener.Addr())
	return n.run(ctx, listener)
}

func (n *node) open(ctx context.Context) (err error) {
	cfg := n.config.Load()
	if n.store, err = cfg.openStore(n.log); err != nil {
		return err
	}
	n.scheme = server.Scheme(cfg.TrustProxy)
	n.broker = streams.NewBroker(streams.BrokerOptions{Log: n.store.Log, Node: n.name, Retention: n.retention, Logger: n.log})
	keys, err := n.keys(cfg)
	if err != nil {
		return err
	}
	if n.verifier, err = auth.New(ctx, keys); err != nil {
		return err
	}
	n.server, err = server.New(n.serverConfig(cfg))
	return err
}

func (n *node) serverConfig(cfg *Config) server.Config {
	limits := server.DefaultLimits()
	limits.Connections = cfg.MaxConnections
	limits.ConnectionsPerIP = cfg.MaxConnectionsPerIP
	limits.ConnectionsPerUser = cfg.MaxConnectionsPerUser
	c := server.Config{
		Broker: n.broker, Verifier: n.verifier, Logger: n.log,
		Node: n.name, Version: version(), Store: n.store.name,
		Limits: limits, TrustProxy: cfg.TrustProxy, Pace: server.Pace{Heartbeat: cfg.Heartbeat, Ping: cfg.Ping, Silence: cfg.Silence}, Drain: cfg.Drain,
		CompressFrom: int(cfg.CompressFrom),
		TLSCert:      cfg.TLSCert, TLSKey: cfg.TLSKey,
		AdminListen: cfg.AdminListen, AdminHosts: cfg.AdminHost, Reconnects: n.store.reconnects,
	}
	c.Page = n.pages(cfg)
	return c
}

// pages are what browsers get, in demo mode with the firewall lab; its proxies
// do not speak TLS.
func (n *node) pages(cfg *Config) server.Page {
	pages := web.Handler(n.name, version(), cfg.Demo())
	if !cfg.Demo() || cfg.TLSCert != "" {
		return pages
	}
	n.lab = newLab(n.log)
	return demoPages{pages, n.lab, func(r *http.Request) error {
		_, err := n.verifier.Request(r.Context(), r)
		return err
	}}
}

// keys is who may do what, with the records that all nodes of a store share.
func (n *node) keys(cfg *Config) (auth.Config, error) {
	keys, err := cfg.auth()
	keys.Records, keys.Logger = n.store.records, n.log
	keys.Scheme = n.scheme
	return keys, err
}

// retention keeps little of the hub's own channels: they are for watching.
func (n *node) retention(channel string) streams.Retention {
	keep := n.config.Load().Retention(channel)
	if streams.OwnChannel(channel) {
		keep.Count = min(keep.Count, ownHistory)
	}
	return keep
}

// ownHistory is two minutes of a hub's figures, where they are stored at all.
const ownHistory = 120

// run serves until ctx ends. What stops first stops the rest, unless it is the
// drain that is to be seen to its end.
func (n *node) run(ctx context.Context, listener net.Listener) error {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	beside, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	tasks.Go(func() { n.reloadOnHangUp(beside) })
	tasks.Go(func() { handBack(beside) })
	cfg := n.config.Load()
	tasks.Go(func() { n.publishFigures(beside) })
	if n.lab != nil {
		n.lab.open(listener.Addr().String())
		tasks.Go(func() { n.lab.run(beside) })
	}
	if cfg.AdminListen != "" {
		admin, err := listen("--admin-listen", cfg.AdminListen)
		if err != nil {
			listener.Close()
			return err
		}
		n.log.Info("serving health, metrics and pprof", "address", admin.Addr().String())
		tasks.Go(func() { n.serveAdmin(beside, admin) })
	}
	return n.server.Serve(ctx, listener)
}

// listen says of what goes wrong with which setting it goes away.
func listen(flag, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: %s is taken, perhaps by a hub that runs already; end that one, or set %s to another port", flag, address, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s: this user may not listen on %s; set %s to a port from 1024 on", flag, address, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s: this machine does not have the address %s; set %s to one of its own, or to :PORT for all of them", flag, address, flag)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return listener, nil
}

func (n *node) serveAdmin(ctx context.Context, listener net.Listener) {
	if err := n.server.ServeAdmin(ctx, listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
		n.log.Error("health, metrics and pprof are not served any more", "cause", err)
	}
}

// close ends what was opened, the last first.
func (n *node) close() {
	if n.server != nil {
		n.server.Close()
	}
	if n.broker != nil {
		n.broker.Close()
	}
	if n.store != nil {
		if err := n.store.Close(); err != nil {
			n.log.Error("closing the store", "cause", err)
		}
	}
	if n.verifier != nil {
		n.verifier.Close()
	}
}

// greet says where the hub is, and in demo mode that nobody is kept out.
func (n *node) greet(stdout io.Writer, address net.Addr) {
	cfg := n.config.Load()
	scheme := "http"
	if cfg.TLSCert != "" {
		scheme = "https"
	}
	fmt.Fprintf(stdout, "runnel %s listens on %s://%s, node %s, store %s\n", version(), scheme, address, n.name, n.store.name)
	if cfg.Demo() {
		fmt.Fprintf(stdout, "\n  DEMO MODE: no key is configured, so everyone on this machine may do everything.\n"+
			"  Open the address above in a browser. For real use set --api-key and --jwt-secret.\n\n")
	}
}

// reloadOnHangUp takes keys, origins and channel rules anew on SIGHUP. What is
// wrong leaves everything as it was.
func (n *node) reloadOnHangUp(ctx context.Context) {
	hangUps := make(chan os.Signal, 1)
	signal.Notify(hangUps, syscall.SIGHUP)
	defer signal.Stop(hangUps)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangUps:
		}
		if err := n.reload(ctx); err != nil {
			n.log.Error("configuration not reloaded, the one before stays", "cause", err)
		} else {
			n.log.Info("keys, origins and channel rules reloaded")
		}
	}
}

func (n *node) reload(ctx context.Context) error {
	cfg, err := n.config.Load().Reload()
	if err != nil {
		return err
	}
	keys, err := n.keys(cfg)
	if err != nil {
		return err
	}
	if err := n.verifier.Reload(ctx, keys); err != nil {
		return err
	}
	n.config.Store(cfg)
	n.server.Recheck()
	return nil
}

// nodeName is the host's name and something that tells two nodes on it apart,
// in letters that a channel's name may have.
func nodeName() string {
	host, _ := os.Hostname()
	host = strings.Map(func(r rune) rune {
		if r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '-'
	}, host)
	if host == "" {
		host = "node"
	}
	return host[:min(len(host), 40)] + "-" + strings.ToLower(rand.Text()[:5])
}

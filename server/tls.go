package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// certificate is a certificate and key in files, read again when they change:
// they are renewed every few weeks, and that is no reason to cut connections.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	current           atomic.Pointer[tls.Certificate]

	mu      sync.Mutex // for one handshake at a time to look at the files
	looked  time.Time
	tried   stamp
	watched time.Duration
}

// stamp tells whether two files are as they were.
type stamp struct {
	cert, key         time.Time
	certSize, keySize int64
}

// lookEvery keeps handshakes from asking the file system each time.
const lookEvery = 2 * time.Second

// loadCertificate reads both files for the first time.
func loadCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log, watched: lookEvery}
	now, err := c.stamp()
	if err != nil {
		return nil, fmt.Errorf("server: TLS certificate: %w", err)
	}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("server: TLS certificate: %w", err)
	}
	c.tried, c.looked = now, time.Now()
	return c, nil
}

// get is tls.Config.GetCertificate. One handshake at most looks at the files;
// the others take what there is.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.mu.TryLock() {
		defer c.mu.Unlock()
		if time.Since(c.looked) >= c.watched {
			c.looked = time.Now()
			c.renew()
		}
	}
	return c.current.Load(), nil
}

// renew loads files that changed. Half of a pair that is being replaced does
// not load: the old certificate stays until they change again.
func (c *certificate) renew() {
	now, err := c.stamp()
	if err != nil || now == c.tried {
		return
	}
	c.tried = now
	if err := c.load(); err != nil {
		c.log.Error("TLS certificate changed and cannot be used; the old one stays", "cause", err)
		return
	}
	c.log.Info("TLS certificate read again", "file", c.certFile)
}

func (c *certificate) load() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.current.Store(&pair)
	return nil
}

func (c *certificate) stamp() (stamp, error) {
	cert, err := os.Stat(c.certFile)
	if err != nil {
		return stamp{}, err
	}
	key, err := os.Stat(c.keyFile)
	if err != nil {
		return stamp{}, err
	}
	return stamp{cert.ModTime(), key.ModTime(), cert.Size(), key.Size()}, nil
}

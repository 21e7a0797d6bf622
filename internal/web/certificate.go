package web

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// certificate is a key pair in two files, followed as they change.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	every             time.Duration // how soon a new certificate is noticed
	pair              atomic.Pointer[tls.Certificate]
	seen              stamp // of the files as last read; of watch alone
}

// stamp tells a changed file from an unchanged one.
type stamp [2]struct {
	size    int64
	modTime time.Time
}

func loadCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log, every: 5 * time.Second}
	c.seen = c.stamp()
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *certificate) load() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("read certificate %s and key %s: %w", c.certFile, c.keyFile, err)
	}
	c.pair.Store(&pair)
	return nil
}

// config serves whatever pair is the newest good one.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.pair.Load(), nil
		},
	}
}

// watch reloads the pair when a file changes, until ctx ends. Polling, since
// file notification misses the symbolic links that secrets are mounted by.
func (c *certificate) watch(ctx context.Context) {
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.poll()
		}
	}
}

// poll tries each state of the files once: a pair half written is logged as
// bad, and read again when its other half arrives.
func (c *certificate) poll() {
	now := c.stamp()
	if now == c.seen {
		return
	}
	c.seen = now
	if err := c.load(); err != nil {
		c.log.Error("the new certificate is bad; serving with the old one", "err", err)
		return
	}
	c.log.Info("certificate reloaded", "file", c.certFile)
}

func (c *certificate) stamp() (s stamp) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			s[i].size, s[i].modTime = info.Size(), info.ModTime()
		}
	}
	return s
}

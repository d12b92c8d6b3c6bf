package web

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is HTTPS' own, as its files say at the moment; where they say nothing that can be used, as they said last.
type certificate struct {
	file, keyFile string
	log           *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate // nil: there has been none
	text    []byte           // what the files held at the last look
	bad     error            // why that cannot be used; nil: it is current
}

func newCertificate(file, keyFile string, log *slog.Logger) *certificate {
	c := &certificate{file: file, keyFile: cmp.Or(keyFile, file), log: log}
	c.look()
	return c
}

// watch looks at the files now and then, until ctx ends.
func (c *certificate) watch(ctx context.Context, every time.Duration) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(every):
			c.look()
		}
	}
}

// look reads the files and serves what they hold from now on. Only what has changed is logged.
func (c *certificate) look() {
	pair, text, err := c.read()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && (c.bad == nil || c.bad.Error() != err.Error()) {
		c.log.Error("the certificate of the admission webhooks cannot be used", "reason", err, "old_one_is_served", c.current != nil)
	}
	if err == nil && !bytes.Equal(text, c.text) {
		c.current = pair
		c.log.Info("the admission webhooks have a certificate", "file", c.file, "names", pair.Leaf.DNSNames, "valid_until", pair.Leaf.NotAfter)
	}
	c.text, c.bad = text, err
}

// read returns what both files hold besides what is made of it. text is empty where they cannot be read.
func (c *certificate) read() (pair *tls.Certificate, text []byte, err error) {
	if c.file == "" {
		return nil, nil, errors.New("the admission webhooks have no certificate: set KESTREL__ENDPOINTS__HTTPS__CERTIFICATE__PATH and …__KEYPATH")
	}
	chain, key, err := c.readFiles()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the certificate of the admission webhooks: %w", err)
	}
	text = append(append(text, chain...), key...)
	made, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, text, fmt.Errorf("cannot use the certificate of the admission webhooks, %s with the key %s: %w", c.file, c.keyFile, err)
	}
	if until := made.Leaf.NotAfter; time.Now().After(until) {
		return nil, text, fmt.Errorf("the certificate of the admission webhooks, %s, has expired at %s: replace it, no restart is needed",
			c.file, until.UTC().Format(time.RFC3339))
	}
	return &made, text, nil
}

// readFiles reads a pair: both may be replaced at once, between the one's being read and the other's.
func (c *certificate) readFiles() (chain, key []byte, err error) {
	again, err := os.ReadFile(c.file)
	for err == nil && !bytes.Equal(again, chain) {
		chain = again
		if key, err = os.ReadFile(c.keyFile); err == nil {
			again, err = os.ReadFile(c.file)
		}
	}
	return chain, key, err
}

// config serves whatever is current at each handshake.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.current == nil {
			return nil, c.bad
		}
		return c.current, nil
	}}
}

// unable says why the API server's calls fail; nil: they need not.
func (c *certificate) unable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.valid() {
		return nil
	}
	return cmp.Or(c.bad, errExpired)
}

// errExpired lasts until the files are looked at again.
var errExpired = errors.New("the certificate of the admission webhooks has expired")

// refused says why an older certificate is served than that of the files; nil: it is not.
func (c *certificate) refused() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.valid() || c.bad == nil {
		return nil
	}
	return fmt.Errorf("the old certificate is served: %w", c.bad)
}

func (c *certificate) valid() bool {
	return c.current != nil && time.Now().Before(c.current.Leaf.NotAfter)
}

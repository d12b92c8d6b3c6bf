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

// certificate is the certificate of HTTPS. It follows its files; while they hold none that can be used, the last good one is served.
type certificate struct {
	file, keyFile string
	log           *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate // nil: there was none so far
	text    []byte           // content of the files when they were last read
	bad     error            // why the content cannot be used; nil: it is current
}

func newCertificate(file, keyFile string, log *slog.Logger) *certificate {
	c := &certificate{file: file, keyFile: cmp.Or(keyFile, file), log: log}
	c.reload()
	return c
}

// end is when the certificate that is served ends; zero: none is served.
func (c *certificate) end() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil {
		return time.Time{}
	}
	return c.current.Leaf.NotAfter
}

// watch reads the files every so often, until ctx ends.
func (c *certificate) watch(ctx context.Context, every time.Duration) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(every):
			c.reload()
		}
	}
}

// reload reads the files and serves their certificate from now on. It logs only changes.
func (c *certificate) reload() {
	pair, text, err := c.read()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && (c.bad == nil || c.bad.Error() != err.Error()) {
		c.log.Error("the certificate of the admission webhooks cannot be used", "reason", err, "old_one_is_served", c.current != nil, "next", "the files are read again every few seconds")
	}
	if err == nil && !bytes.Equal(text, c.text) {
		c.current = pair
		c.log.Info("the admission webhooks have a certificate", "file", c.file, "names", pair.Leaf.DNSNames, "valid_until", pair.Leaf.NotAfter)
	}
	c.text, c.bad = text, err
}

// read returns the certificate and the content of both files; text is nil if they cannot be read.
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

// readFiles reads a certificate and its key. It reads the certificate again after the key, because both may be replaced in between.
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

// config serves the current certificate at each handshake.
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

// unable says why handshakes fail; nil: there is a valid certificate.
func (c *certificate) unable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.valid() {
		return nil
	}
	return cmp.Or(c.bad, errExpired)
}

// errExpired is returned from the expiry until the files are read again.
var errExpired = errors.New("the certificate of the admission webhooks has expired")

// refused says why the certificate in the files cannot be used and an older one is served; nil: the one in the files is served.
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

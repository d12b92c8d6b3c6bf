package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Requests are answered within milliseconds, so a client that is slower than this is broken or hostile. Without these bounds 5,000 silent
// connections took 90 MiB, and clients that never read their answer took 1 MiB each.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second // the API server's default timeout for a webhook
	writeTimeout  = 15 * time.Second
	idleTimeout   = 30 * time.Second
	maxHeader     = 16 << 10 // bytes
	maxOpen       = 128      // connections, on each of the two ports
)

// newListener returns a listener for HTTP/1.1 only: one connection of HTTP/2 could carry hundreds of requests, past every bound here.
func newListener(setting, address string, handler http.Handler, retry time.Duration, log *slog.Logger) *listener {
	l := &listener{setting: setting, address: address, retry: retry, gravity: slog.LevelError, log: log, connections: &connections{limit: maxOpen}}
	l.server = &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, Protocols: new(http.Protocols),
		ConnState: l.connections.changed,
		ErrorLog:  stdlog.New(serverLog{log}, "", 0),
	}
	l.server.Protocols.SetHTTP1(true)
	return l
}

// serverLog receives the messages of net/http. They are logged at debug, because anybody can make a TLS handshake fail; only a panic is
// an error of ours.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	level := slog.LevelDebug
	if bytes.HasPrefix(line, []byte("http: panic")) {
		level = slog.LevelError
	}
	l.log.Log(context.Background(), level, "http server", "said", string(bytes.TrimSpace(line)))
	return len(line), nil
}

// listener serves one address, and tries again while it cannot listen there.
type listener struct {
	setting string // the setting that holds the address
	address string
	server  *http.Server
	tls     *tls.Config // nil: HTTP
	retry   time.Duration
	gravity slog.Level // of the record that it cannot listen
	log     *slog.Logger
	failed  atomic.Pointer[error] // why it does not listen; nil: it does

	connections *connections
}

// open listens, and if that fails tries again every retry, until ctx ends.
func (l *listener) open(ctx context.Context) {
	context.AfterFunc(ctx, func() { _ = l.server.Close() })
	on := l.listen()
	go func() {
		for ctx.Err() == nil {
			if on != nil {
				l.lost(l.server.Serve(on))
			}
			select {
			case <-ctx.Done():
			case <-time.After(l.retry):
				on = l.listen()
			}
		}
	}()
}

// listen returns nil if it cannot listen on the address.
func (l *listener) listen() net.Listener {
	on, err := net.Listen("tcp", l.address)
	if err != nil {
		l.fail(fmt.Errorf("cannot listen: %w: set %s to another address, or end what listens there", err, l.setting))
		return nil
	}
	l.failed.Store(nil)
	l.log.Info("listening", "address", on.Addr().String(), "tls", l.tls != nil)
	if l.tls != nil {
		return tls.NewListener(on, l.tls)
	}
	return on
}

// lost records the error that ended serving.
func (l *listener) lost(err error) {
	if !errors.Is(err, http.ErrServerClosed) {
		l.fail(fmt.Errorf("cannot take connections on %s any more: %w", l.address, err))
	}
}

// fail records why the address is not served, and logs it if the reason is new.
func (l *listener) fail(err error) {
	if before := l.failed.Swap(&err); before == nil || (*before).Error() != err.Error() {
		l.log.Log(context.Background(), l.gravity, "cannot listen on an address", "setting", l.setting, "reason", err, "retry_in", l.retry.String())
	}
}

func (l *listener) trouble() error {
	if why := l.failed.Load(); why != nil {
		return *why
	}
	return nil
}

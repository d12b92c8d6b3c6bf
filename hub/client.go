// Package hub is the operator's end of the SignalR connection to the Communication Controller. It receives the controller's callbacks as
// events, registers the operator and its pools, and delivers reports. It knows nothing of Helm or of the cluster.
//
//	client, err := hub.New(settings, hub.Options{Receive: accept, Registered: makePools}, log)
//	go client.Run(ctx)                                         // connects, and connects again, until ctx ends
//	client.RegisterPool(pool)                                  // on this and on every later connection
//	client.Report(hub.Report{Method: method, Arguments: args}) // returns at once
package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/philippseith/signalr"

	"octo-operator/config"
)

const (
	dialTimeout   = 15 * time.Second
	serverTimeout = 30 * time.Second // of silence, after which the connection counts as lost
	// steadyAfter is how long the operator must have been registered before the back-off of reconnecting starts again at its shortest
	// wait. Otherwise a controller that accepts the registration and then closes the connection, for example because of something that
	// the operator sends, would be asked twice a second.
	steadyAfter = time.Minute
	// libraryBuffer is the size in bytes of the library's read buffer. Our connection hands frames over in pieces of this size.
	libraryBuffer = 64 << 10
)

// Options are functions that the client calls, on goroutines of its own.
type Options struct {
	// Receive gets the events in the order in which the controller sent them: all that have come since the last call, at least one and at
	// most maxBatch. While it runs, at most maxReadAhead bytes more are read. Must not be nil.
	Receive func([]Event)
	// Connecting is called before each connection is opened, after Receive has returned for the last event of the connection before. May
	// be nil.
	Connecting func()
	// Registered is called after each successful registration, with the deployed pools that the controller knows. It may block; ctx ends
	// with the connection. Must not be nil.
	Registered func(ctx context.Context, pools []Pool)
	// PoolStatus is called whenever the status of a pool's registration changes: to StatusInProgress, StatusRegistered, or "Failed: " and
	// the reason. May be nil.
	PoolStatus func(pool Pool, status string)
}

// Client keeps one connection to the controller. Its methods may be called by several goroutines.
type Client struct {
	settings config.Config
	options  Options
	http     *http.Client
	tokens   *tokens // nil: no authentication
	pools    poolSet
	reports  outbox
	log      *slog.Logger

	mu      sync.Mutex
	session *session // the connection on which the operator is registered; nil: there is none
}

// New returns a client that is not connected yet: see Run. The error says that the system's root certificates cannot be read.
func New(settings config.Config, options Options, log *slog.Logger) (*Client, error) {
	client, err := settings.HTTPClient()
	if err != nil {
		return nil, err
	}
	if settings.InsecureTLS {
		client.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
		log.Warn("the controller's certificate is NOT verified", "setting", "OPERATOR__INSECURESKIPVERIFY")
	}
	c := &Client{settings: settings, options: options, http: client, log: log}
	if settings.Authentication.Enabled() {
		if c.tokens, err = newTokens(settings, log); err != nil {
			return nil, err
		}
		client.Transport = c.tokens.sentBy(client.Transport)
		client.CheckRedirect = sameHost("OPERATOR__COMMUNICATIONCONTROLLERURI") // otherwise a redirect could send the token to another host
	}
	c.reports.wake = make(chan struct{}, 1)
	return c, nil
}

// sameHost returns a redirect policy for requests that carry a secret: a redirect must stay on the host that the setting names, and must
// not leave TLS.
func sameHost(setting string) func(next *http.Request, before []*http.Request) error {
	return func(next *http.Request, before []*http.Request) error {
		if next.URL.Host != before[0].URL.Host {
			return fmt.Errorf("it redirects to another host, %s: set %s to where it really is", next.URL.Host, setting)
		}
		return keepsTLS(next, before, setting)
	}
}

// keepsTLS is a redirect policy: at most maxRedirects, and none from TLS to a connection without.
func keepsTLS(next *http.Request, before []*http.Request, setting string) error {
	last := before[len(before)-1].URL
	if last.Scheme != next.URL.Scheme && next.URL.Scheme != "https" && next.URL.Scheme != "wss" {
		return fmt.Errorf("it redirects from %s:// to %s://, without TLS: have it redirect to https://, or correct %s", last.Scheme, next.URL.Scheme, setting)
	}
	if len(before) >= maxRedirects {
		return fmt.Errorf("it redirects more than %d times: correct %s", maxRedirects, setting)
	}
	return nil
}

const maxRedirects = 10

// Connected tells whether the operator is registered at the controller now.
func (c *Client) Connected() bool { return c.current() != nil }

// Generation returns the generation of the controller at which the operator is registered; 0: it is not registered.
func (c *Client) Generation() Generation {
	if s := c.current(); s != nil {
		return s.generation
	}
	return 0
}

// current returns the connection on which the operator is registered; nil: there is none.
func (c *Client) current() *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

func (c *Client) setCurrent(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = s
}

// Run connects to the controller, and again whenever the connection ends, until ctx ends. The waits in between grow with jitter and stay
// below 30 s. It does not use the library's own reconnect, which gives up after 15 minutes.
func (c *Client) Run(ctx context.Context) {
	waits := reconnectWaits()
	for {
		registered, err := c.serve(ctx)
		if ctx.Err() != nil {
			return
		}
		if !registered.IsZero() && time.Since(registered) > steadyAfter {
			waits.Reset()
		}
		wait := waits.NextBackOff()
		c.log.Warn("not connected to the controller", "reason", err, "retry_in", wait.Round(time.Millisecond).String())
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

func reconnectWaits() *backoff.ExponentialBackOff {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval = 500 * time.Millisecond
	waits.MaxInterval = 20 * time.Second
	waits.RandomizationFactor = 0.5
	return waits
}

// serve runs one connection until it ends. It returns the reason, and when the operator was registered on it (zero: never).
func (c *Client) serve(ctx context.Context) (registered time.Time, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer cancel()

	if c.options.Connecting != nil {
		c.options.Connecting()
	}
	s, err := c.connect(ctx)
	if err != nil {
		return registered, err
	}
	defer s.close()
	pools, err := s.registerOperator(ctx, c.settings.AutoManagePools)
	if err != nil {
		return registered, err
	}
	registered = time.Now()
	c.log.Info("registered at the controller", "url", c.url(), "generation", s.generation.String(), "mode", c.mode(), "pools", len(pools))
	c.setCurrent(s)
	defer c.setCurrent(nil)

	workers.Go(func() { c.keepPoolsRegistered(ctx, s) })
	workers.Go(func() { c.reports.deliver(ctx, s) })
	workers.Go(func() { c.options.Registered(ctx, pools) })
	return registered, s.wait(ctx)
}

func (c *Client) url() string {
	return strings.TrimSuffix(c.settings.ControllerURI, "/") + "/operatorHub"
}

func (c *Client) mode() string {
	if c.settings.AutoManagePools {
		return "central"
	}
	return "edge"
}

func (c *Client) connect(ctx context.Context) (*session, error) {
	conn, err := open(ctx, c.url(), c.http, c.receive, c.log)
	if err != nil {
		return nil, c.explainRefusal(err)
	}
	client, err := signalr.NewClient(ctx,
		signalr.WithConnection(conn),
		signalr.MaximumReceiveMessageSize(libraryBuffer),
		signalr.KeepAliveInterval(15*time.Second),
		signalr.TimeoutInterval(serverTimeout),
		// No log of the library: it repeats what we log ourselves, and its messages hold arguments, which may be secret.
		signalr.Logger(silent{}, false),
	)
	if err != nil {
		conn.close()
		return nil, fmt.Errorf("cannot start the SignalR client: %w", err)
	}
	s := &session{client: client, connection: conn, log: c.log}
	client.Start()
	if err := <-client.WaitForState(ctx, signalr.ClientConnected); err != nil {
		s.close()
		return nil, fmt.Errorf("cannot open a SignalR session at %s: %s", c.url(), withoutSource(err))
	}
	return s, nil
}

// explainRefusal adds to a refusal (401 or 403) which settings to check. Other errors are returned as they are.
func (c *Client) explainRefusal(err error) error {
	refused := (*refusedError)(nil)
	if !errors.As(err, &refused) {
		return err
	}
	if c.tokens != nil {
		c.tokens.forget()
	}
	if c.settings.Authentication.ClientSecret == "" || c.tokens == nil {
		return fmt.Errorf("%w: the controller wants an access token: set OPERATOR__AUTHENTICATION__ISSUERURI, __CLIENTID and __CLIENTSECRET", err)
	}
	return fmt.Errorf("%w: it does not accept the access token: check that OPERATOR__AUTHENTICATION__CLIENTID may use the scope octo_api, "+
		"that OPERATOR__AUTHENTICATION__TENANTID is right, and that the controller trusts the issuer %s", err, c.settings.Authentication.IssuerURI)
}

type silent struct{}

func (silent) Log(...any) error { return nil }

// receive parses callbacks, in the order in which they were sent, and hands them to Options.Receive. An unknown or malformed one is
// logged and ignored; the connection stays up.
func (c *Client) receive(callbacks []invocation) {
	events := make([]Event, 0, len(callbacks))
	for _, i := range callbacks {
		event, err := ParseEvent(i.Target, i.Arguments)
		unknown := (*UnknownCallbackError)(nil)
		switch {
		case errors.As(err, &unknown):
			c.log.Warn("callback ignored: this operator does not know it", "callback", unknown.Name, "arguments", len(i.Arguments), "next", "update the operator, if the controller needs it")
		case err != nil:
			c.log.Error("callback ignored", "callback", i.Target, "reason", err, "next", "the controller must send it again, in its generation's form")
		default:
			events = append(events, event)
		}
	}
	if len(events) > 0 {
		c.options.Receive(events)
	}
}

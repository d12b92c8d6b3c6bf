// Package devcontroller simulates an OctoMesh Communication Controller: the SignalR hub
// /operatorHub in each generation of the contract, for tests, the bench and the demo.
//
// It is the other side of the wire and shares no code with the operator: neither its hub
// package nor its SignalR library, because two ends built from one piece agree on each
// other's mistakes. It speaks the hub protocol (JSON, version 1) as ASP.NET Core 8 to 10 do;
// comments that say "ASP.NET" were checked against the dotnet/aspnetcore sources.
//
//	controller := devcontroller.New(devcontroller.Options{Generation: devcontroller.G4})
//	err := controller.Start("127.0.0.1:0")
//	// … point an operator at controller.URL() …
//	call, err := controller.WaitFor(ctx, "RegisterOperatorAsync", nil)
//	err = controller.Deploy(ctx, devcontroller.Workload{…})
package devcontroller

import (
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options configure a Server. The zero value is a G4 controller with ASP.NET's defaults and
// no authentication. A zero duration or limit means ASP.NET's default.
type Options struct {
	Generation Generation    // G4 when empty
	Token      string        // bearer token to ask for; empty: none is asked for
	Pools      []Pool        // the deployed Cloud pools, returned by RegisterOperatorAsync
	Lacks      []string      // hub methods of the generation that this build does not have yet
	KeepAlive  time.Duration // 15 s; negative: never pings, as a controller that hangs

	ClientTimeout    time.Duration // 30 s
	HandshakeTimeout time.Duration // 15 s
	ReceiveLimit     int           // bytes of one message from the operator, separator included; 32 KiB

	// HideErrorDetails answers as ASP.NET does without EnableDetailedErrors, its default in
	// production: only a HubException keeps its text. A wrong argument count is then just
	// "Failed to invoke 'X' due to an error on the server.".
	HideErrorDetails bool

	TLS  *tls.Config                      // serves https when set
	Logf func(format string, args ...any) // what happens on the wire, one line each; nil: silent
}

func (o Options) withDefaults() Options {
	if o.Generation == "" {
		o.Generation = G4
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = 15 * time.Second
	}
	if o.ClientTimeout == 0 {
		o.ClientTimeout = 30 * time.Second
	}
	if o.HandshakeTimeout == 0 {
		o.HandshakeTimeout = 15 * time.Second
	}
	if o.ReceiveLimit == 0 {
		o.ReceiveLimit = 32 * 1024
	}
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	return o
}

// Server is a simulated controller. It is an http.Handler, and it can serve itself: Start and
// Close may alternate, which is a controller restart. What it recorded and the answers that a
// test scripted survive Close; registrations do not, they belong to connections.
type Server struct {
	options Options

	mu          sync.Mutex
	changed     chan struct{} // closed and replaced on each change of the fields below: see Wait
	generation  Generation
	authorize   func(bearer string) bool // nil: no token is asked for
	pools       []Pool
	connections []*connection // in order of arrival, closed ones too
	offered     map[string]offer
	refused     int
	calls       []Call
	violations  []string
	failures    map[string]*failure
	handlers    map[string]Handler
	pending     []Workload
	redispatch  func(Workload) Workload // nil: pending workloads are not sent again

	sending sync.Mutex // orders all events for workloads: a registration sends some, too

	open sync.WaitGroup // one per websocket; added to under mu, and only while not stopped

	httpServer *http.Server // nil unless Start serves
	stopped    bool         // by Close, until Start
	address    string
}

// New makes a controller that listens nowhere yet.
func New(options Options) *Server {
	options = options.withDefaults()
	s := &Server{
		options:    options,
		changed:    make(chan struct{}),
		generation: options.Generation,
		pools:      options.Pools,
		offered:    map[string]offer{},
		failures:   map[string]*failure{},
		handlers:   map[string]Handler{},
	}
	s.SetToken(options.Token)
	return s
}

// Start listens on a loopback address such as "127.0.0.1:0" and serves until Close. An empty
// address means the one of the previous Start, port included.
func (s *Server) Start(address string) error {
	if address == "" {
		address = s.Addr()
	}
	if err := onlyLoopback(address); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	server := &http.Server{
		Handler:           s,
		TLSConfig:         s.options.TLS,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(logWriter{s.options.Logf}, "", 0),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.httpServer != nil {
		_ = listener.Close()
		return fmt.Errorf("cannot start the controller on %s: it already serves %s", address, s.address)
	}
	s.httpServer, s.address, s.stopped = server, listener.Addr().String(), false
	go s.serve(server, listener)
	return nil
}

func (s *Server) serve(server *http.Server, listener net.Listener) {
	serve := func() error { return server.Serve(listener) }
	if server.TLSConfig != nil {
		serve = func() error { return server.ServeTLS(listener, "", "") }
	}
	if err := serve(); !errors.Is(err, http.ErrServerClosed) {
		s.options.Logf("cannot serve %s: %v", listener.Addr(), err)
	}
}

// Close stops the controller as ASP.NET stops: no new connections, and each open one gets
// {"type":7,"allowReconnect":true}, then the websocket is closed. It returns when all are gone.
func (s *Server) Close() error {
	s.mu.Lock()
	server := s.httpServer
	s.httpServer, s.stopped = nil, true
	s.mu.Unlock()
	var err error
	if server != nil {
		err = server.Close() // does not touch websockets: those are hijacked
	}
	s.CloseConnections(true)
	s.open.Wait()
	return err
}

// Addr is host:port of the last Start.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

// URL is the controller's base address, without /operatorHub.
func (s *Server) URL() string {
	if s.options.TLS != nil {
		return "https://" + s.Addr()
	}
	return "http://" + s.Addr()
}

// SetGeneration is an upgrade under a running operator: connections opened from now on see
// the other generation.
func (s *Server) SetGeneration(generation Generation) {
	s.change(func() { s.generation = generation })
}

// SetToken replaces the bearer token that new connections must bring; empty: none is asked for.
func (s *Server) SetToken(want string) {
	if want == "" {
		s.SetAuthorize(nil)
		return
	}
	s.SetAuthorize(func(token string) bool { return subtle.ConstantTimeCompare([]byte(token), []byte(want)) == 1 })
}

// SetAuthorize lets a function judge the bearer token that each new connection brings, "" when
// it brings none, as a controller that asks its identity service; nil: no token is asked for.
func (s *Server) SetAuthorize(authorize func(bearer string) bool) {
	s.change(func() { s.authorize = authorize })
}

// SetPools replaces what RegisterOperatorAsync returns.
func (s *Server) SetPools(pools ...Pool) { s.change(func() { s.pools = pools }) }

// change runs a change of the state under the lock and wakes everyone in Wait.
func (s *Server) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// onlyLoopback keeps a simulated controller off the network, because its clients run helm at its command.
func onlyLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("cannot listen on %q: %w", address, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("cannot listen on %s: only loopback addresses such as 127.0.0.1:0 are served", address)
	}
	return nil
}

// logWriter hands net/http's error log to Logf.
type logWriter struct{ logf func(string, ...any) }

func (w logWriter) Write(line []byte) (int, error) {
	w.logf("http: %s", line)
	return len(line), nil
}

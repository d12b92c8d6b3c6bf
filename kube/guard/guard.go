// Package guard is an HTTP proxy on loopback between the helm and kubectl of a run and the API server. It refuses requests that would
// touch another release. It is needed because RBAC cannot tell releases apart: those of all tenants, with their Secrets, are in one
// namespace, and the operator may read and write them all. A chart's template can look up (lookup) whatever helm may read, and a helm
// hook deletes whatever has the name of its object.
//
//	g := guard.New(kubectl, log)
//	kubeconfig, err := g.Open(ctx, guard.Scope{Release: release, Namespace: namespace}) // valid until ctx ends
//	defer g.Close()
package guard

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"octo-operator/kube"
)

// API is the API server, reached with the operator's own credentials. *kube.Client implements it.
type API interface {
	Forward() (server *url.URL, transport http.RoundTripper)
	Object(ctx context.Context, path string) (kube.Metadata, error)
	Failed(ctx context.Context, err error) error
}

// Guard is the proxy. Its methods may be called by several goroutines.
type Guard struct {
	api API
	log *slog.Logger

	mu      sync.Mutex
	server  *http.Server
	address string
	runs    map[string]*guarded // by token
}

// guarded is a run whose script is running now.
type guarded struct {
	Scope
	ctx context.Context // ends with the script

	mu    sync.Mutex
	known map[string]string // path of an object that was read -> why it belongs to somebody else; "": it does not
}

// New returns a guard. It begins to listen at the first Open.
func New(api API, log *slog.Logger) *Guard {
	return &Guard{api: api, log: log, runs: map[string]*guarded{}}
}

// Open returns a kubeconfig that leads the run's requests through the guard. It works until ctx ends. The error says that the guard
// cannot listen.
func (g *Guard) Open(ctx context.Context, r Scope) (kubeconfig []byte, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.server == nil {
		if err := g.listen(); err != nil {
			return nil, fmt.Errorf("cannot listen for the requests of helm and kubectl: %w", err)
		}
	}
	token := rand.Text() + rand.Text()
	g.runs[token] = &guarded{Scope: r, ctx: ctx, known: map[string]string{}}
	context.AfterFunc(ctx, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.runs, token)
	})
	// The kubeconfig names the guard as a proxy, not as the server. kubectl and helm cache what they learn of an API server under its address, so the
	// address must be the same in all runs. And they would send no token to a server without TLS.
	through := url.URL{Scheme: "http", User: url.UserPassword("run", token), Host: g.address}
	type named = map[string]any
	return json.Marshal(named{
		"apiVersion": "v1", "kind": "Config", "current-context": "run",
		"clusters": []named{{"name": "run", "cluster": named{"server": "http://api-server", "proxy-url": through.String()}}},
		"contexts": []named{{"name": "run", "context": named{"cluster": "run", "user": "run", "namespace": r.Namespace}}},
		"users":    []named{{"name": "run", "user": named{}}},
	})
}

func (g *Guard) listen() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server, transport := g.api.Forward()
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(server)
			p.Out.Header.Del("Authorization")
			if judgedOf(p.In).verdict == passIfOwn { // inspect must be able to read the answer
				p.Out.Header.Del("Accept-Encoding")
				p.Out.Header.Set("Accept", "application/json")
			}
		},
		ModifyResponse: g.inspect,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				err = g.api.Failed(r.Context(), err)
			}
			answer(w, http.StatusServiceUnavailable, "ServiceUnavailable", err.Error())
		},
		BufferPool: buffers{},
		ErrorLog:   slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
	g.address = listener.Addr().String()
	g.server = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, proxy) }),
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, ErrorLog: proxy.ErrorLog,
	}
	go func() { _ = g.server.Serve(listener) }()
	return nil
}

// Close ends all requests and refuses new ones.
func (g *Guard) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.server != nil {
		g.server.Close()
	}
}

// runOf returns the run that sent the request; nil: the token is unknown, or its script has ended.
func (g *Guard) runOf(r *http.Request) *guarded {
	as := http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
	_, token, _ := as.BasicAuth()
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.runs[token]
}

// judged is a request that may pass, with what its answer is inspected for.
type judged struct {
	run *guarded
	target
	verdict
}

type judgedKey struct{}

func judgedOf(r *http.Request) *judged {
	j, _ := r.Context().Value(judgedKey{}).(*judged)
	return j
}

func (g *Guard) serve(w http.ResponseWriter, r *http.Request, proxy http.Handler) {
	run := g.runOf(r)
	if run == nil {
		answer(w, http.StatusProxyAuthRequired, "Unauthorized", "the step has ended to which this kubeconfig was given")
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(run.ctx, cancel)()
	verdict, t, err := run.judge(r.Method, r.URL)
	if err == nil && r.Header.Get("Upgrade") != "" {
		err = errors.New("a deploy needs no other protocol")
	}
	if err == nil && run.Look != nil && !run.isOwn(t) {
		err = run.checkBody(r, t)
	}
	if err == nil && run.BeforeWrite != nil && changes(r) {
		run.BeforeWrite(ctx) // before the owner is looked up, because the call takes time and the owner may change meanwhile
	}
	if err == nil && verdict == checkOwner {
		var unavailable error
		if err, unavailable = g.checkOwner(ctx, run, r.URL.Path, t); unavailable != nil {
			answer(w, http.StatusServiceUnavailable, "ServiceUnavailable", unavailable.Error())
			return
		}
	}
	if err != nil {
		g.log.Warn("request of a run refused", "release", run.Release, "method", r.Method, "path", r.URL.EscapedPath(), "reason", err, "next", "the command fails with this reason, and its event too")
		answer(w, http.StatusForbidden, "Forbidden", run.refusal(r.Method, t, err.Error()))
		return
	}
	// Otherwise the server closes the request's body when the answer begins. If the transport has not seen the end of the body by then, it drops the
	// connection, and helm takes a write that was carried out for a failure.
	_ = http.NewResponseController(w).EnableFullDuplex() // an error: the server has no such limit
	proxy.ServeHTTP(w, r.WithContext(context.WithValue(ctx, judgedKey{}, &judged{run, t, verdict})))
}

// refusal returns the text of a refusal for helm or kubectl, in the API server's own form.
func (r Scope) refusal(method string, t target, why string) string {
	what, may := t.resource, "change or delete it"
	if t.name != "" {
		what += fmt.Sprintf(" %q", t.name)
	}
	if method == http.MethodGet || method == http.MethodHead {
		may = "read it"
	}
	return fmt.Sprintf("%s is forbidden: octo-operator: release %s may not %s: %s", cmp.Or(what, "the path"), r.Release, may, why)
}

// answer writes a Status object, as the API server does.
func answer(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(status(code, reason, message))
}

func status(code int, reason, message string) map[string]any {
	return map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason, "code": code}
}

type buffers struct{}

var pool = sync.Pool{New: func() any { return make([]byte, 32<<10) }}

func (buffers) Get() []byte  { return pool.Get().([]byte) }
func (buffers) Put(b []byte) { pool.Put(b) } //nolint:staticcheck // a slice's header is small beside 32 KiB

// Package web answers over HTTP and HTTPS: the probes of the operator's pod, metrics, the API server's admission webhooks, and changes of
// the log level. It never ends the operator: what fails here is reported by Unable and Trouble.
//
//	server := web.New(web.Options{HTTP: ":5000", Ready: ready, Metrics: metrics, LogLevel: &level, Log: log})
//	server.Listen(ctx) // serves until ctx ends
package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Options say where to listen and what to answer. Only HTTPS, CertificateFile and KeyFile may be empty.
type Options struct {
	HTTP            string // host:port
	HTTPS           string // host:port; empty: no HTTPS
	CertificateFile string // PEM, for HTTPS
	KeyFile         string // PEM; empty: the key is in CertificateFile

	Ready    func() Readiness // called at each probe
	Metrics  *Metrics
	LogLevel *slog.LevelVar // what POST /system/v1/diagnostics/reconfigureLogLevel changes
	Log      *slog.Logger

	retry time.Duration // 0: retryInterval
}

// retryInterval is how often a listener that failed is tried again, and how often the certificate's files are read. The kubelet takes up
// to a minute to update the files of a changed Secret.
const retryInterval = 5 * time.Second

// Readiness is the answer of /health/ready.
type Readiness struct {
	Unable  error // why the pod is not ready (503); nil: it is (200)
	Trouble error // what else is wrong, although the pod may be ready; nil: nothing
}

// Server gives the same answers on both addresses, as Kestrel does.
type Server struct {
	http, https *listener    // https: nil without HTTPS
	certificate *certificate // nil without HTTPS
	retry       time.Duration
}

// New returns a server that does not listen yet.
func New(o Options) *Server {
	handler, retry := routes(o), cmp.Or(o.retry, retryInterval)
	s := &Server{http: newListener("KESTREL__ENDPOINTS__HTTP__URL", o.HTTP, handler, retry, o.Log), retry: retry}
	if o.HTTPS != "" {
		s.certificate = newCertificate(o.CertificateFile, o.KeyFile, o.Log)
		o.Metrics.CertificateEnds(s.certificate.end)
		s.https = newListener("KESTREL__ENDPOINTS__HTTPS__URL", o.HTTPS, handler, retry, o.Log)
		s.https.tls = s.certificate.config()
	}
	return s
}

// Listen begins to serve, until ctx ends, and returns after the first try to listen. An address that cannot be used is tried again;
// Unable says why.
func (s *Server) Listen(ctx context.Context) {
	s.http.open(ctx)
	if s.https != nil {
		go s.certificate.watch(ctx, s.retry)
		s.https.open(ctx)
	}
}

// Unable says why the server cannot answer; nil: it can. Without a valid certificate the API server's calls fail.
func (s *Server) Unable() error {
	if s.https == nil {
		return s.http.trouble()
	}
	return errors.Join(s.http.trouble(), s.https.trouble(), s.certificate.unable())
}

// Trouble says what is wrong although the server can answer: a new certificate that cannot be used, so that an older one is served; nil:
// nothing.
func (s *Server) Trouble() error {
	if s.certificate == nil {
		return nil
	}
	return s.certificate.refused()
}

func routes(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health/live", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /health/ready", func(w http.ResponseWriter, r *http.Request) { tellReadiness(w, o.Ready(), wantLoopback(r) == nil) })
	mux.Handle("GET /metrics", o.Metrics.Handler())
	reviews := newReviews(o.Log)
	for kind, check := range pools {
		mux.HandleFunc("POST /validate/"+kind, reviews.answer(check))
		mux.HandleFunc("POST /mutate/"+kind, reviews.answer(nil)) // the reference operator's changes nothing either
	}
	mux.HandleFunc("POST /system/v1/diagnostics/reconfigureLogLevel", fromLoopback(changeLogLevel(o.LogLevel, o.Log)))
	return mux
}

// tellReadiness answers the probe. Only a client in the pod gets details: they name addresses, paths and settings, and everybody in the
// cluster can ask. Others get the status code, which is all that the kubelet needs.
func tellReadiness(w http.ResponseWriter, r Readiness, inside bool) {
	unable, trouble := errors.Join(r.Unable, r.Trouble), r.Trouble
	if !inside {
		unable, trouble = errAskInside, errAskInside
	}
	switch {
	case r.Unable != nil:
		http.Error(w, unable.Error(), http.StatusServiceUnavailable)
	case r.Trouble != nil:
		fmt.Fprintf(w, "ready, but:\n%v\n", trouble)
	default:
		fmt.Fprintln(w, "ready")
	}
}

var errAskInside = errors.New("something is wrong: the log says what, and so does this address when it is asked from within the pod (kubectl port-forward, and localhost)")

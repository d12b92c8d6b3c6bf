// Package web is what the operator answers over HTTP and HTTPS: the probes of its pod, the metrics, the API server's
// admission webhooks and the log level. It goes on whatever becomes of the rest: nothing in it ends the operator.
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

// Options are where to listen, and what there is to tell.
type Options struct {
	HTTP            string // host:port
	HTTPS           string // host:port; empty: no HTTPS
	CertificateFile string // of HTTPS, PEM
	KeyFile         string // PEM; empty: the key is in CertificateFile

	Ready    func() Readiness // asked at each probe
	Metrics  *Metrics
	LogLevel *slog.LevelVar // what POST /system/v1/diagnostics/reconfigureLogLevel changes
	Log      *slog.Logger

	retry time.Duration // 0: retryInterval
}

// retryInterval is how often an address that cannot be used is tried again, and the certificate's files are looked at. The
// kubelet itself takes up to a minute to bring a changed Secret.
const retryInterval = 5 * time.Second

// Readiness is what /health/ready tells.
type Readiness struct {
	Unable  error // nil: 200; else 503: what is asked of this process would fail
	Trouble error // told either way; nil: all is well
}

// Server answers on both addresses, the same on both, as Kestrel does.
type Server struct {
	http, https *listener    // https: nil without HTTPS
	certificate *certificate // nil without HTTPS
	retry       time.Duration
}

// New prepares a server that does not listen yet.
func New(o Options) *Server {
	handler, retry := routes(o), cmp.Or(o.retry, retryInterval)
	s := &Server{http: newListener("KESTREL__ENDPOINTS__HTTP__URL", o.HTTP, handler, retry, o.Log), retry: retry}
	if o.HTTPS != "" {
		s.certificate = newCertificate(o.CertificateFile, o.KeyFile, o.Log)
		s.https = newListener("KESTREL__ENDPOINTS__HTTPS__URL", o.HTTPS, handler, retry, o.Log)
		s.https.tls = s.certificate.config()
	}
	return s
}

// Listen returns when it has tried to listen, and answers until ctx ends. An address that cannot be used now is told by
// Unable, and tried again.
func (s *Server) Listen(ctx context.Context) {
	s.http.open(ctx)
	if s.https != nil {
		go s.certificate.watch(ctx, s.retry)
		s.https.open(ctx)
	}
}

// Unable says what keeps the server from answering; nil: nothing does. Without a certificate the API server's calls fail.
func (s *Server) Unable() error {
	if s.https == nil {
		return s.http.trouble()
	}
	return errors.Join(s.http.trouble(), s.https.trouble(), s.certificate.unable())
}

// Trouble says what is wrong although it is answered: a certificate that should have taken the place of the old one.
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
	mux.Handle("GET /metrics", o.Metrics.handler())
	reviews := newReviews(o.Log)
	for kind, check := range pools {
		mux.HandleFunc("POST /validate/"+kind, reviews.answer(check))
		mux.HandleFunc("POST /mutate/"+kind, reviews.answer(nil)) // the reference operator's changes nothing either
	}
	mux.HandleFunc("POST /system/v1/diagnostics/reconfigureLogLevel", fromLoopback(changeLogLevel(o.LogLevel, o.Log)))
	return mux
}

// tellReadiness says what is wrong to whoever is in the pod already. It names addresses, paths and what settings hold, and everybody in
// the cluster can ask: they get the answer that the kubelet needs.
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

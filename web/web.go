// Package web answers the probes of the pod and tells the metrics.
package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Serve answers /health/live with 200 while the process lives, and /health/ready with 200 while ready says nothing, else
// with 503 and what it says; /metrics with the metrics. It returns when it listens; the server ends with ctx.
func Serve(ctx context.Context, address string, ready func() error, metrics *Metrics) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("cannot answer health probes: %w: set KESTREL__ENDPOINTS__HTTP__URL to another address", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health/live", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /health/ready", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", metrics.handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // the listener broke: the probes would fail from now on anyway
		}
	}()
	return nil
}

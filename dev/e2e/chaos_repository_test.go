package e2e

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// chartVersions are the versions of demo-app in the chaos test's repository, oldest first.
var chartVersions = []string{"1.2.0", "1.3.0", "1.4.0"}

var newestChart = chartVersions[len(chartVersions)-1]

// repository is a proxy in front of the chart repository that can fail on command.
type repository struct {
	URL     string
	address string
	charts  http.Handler

	mu     sync.Mutex
	server *http.Server
	fault  faultKind // "": none
	whole  chan struct{}
}

func newRepository(w *world) *repository {
	w.Helper()
	var server chartServer
	stop, err := serveCharts(&server, "--charts", chartsOfAllVersions(w))
	w.must(err)
	w.Cleanup(stop)
	behind, err := url.Parse(server.URL)
	w.must(err)
	charts := httputil.NewSingleHostReverseProxy(behind)
	charts.ErrorLog = log.New(io.Discard, "", 0) // a killed helm does not read its answer
	r := &repository{address: "127.0.0.1:0", charts: charts}
	w.must(r.serve())
	w.Cleanup(func() { _ = r.server.Close() })
	r.URL = "http://" + r.address
	return r
}

// chartsOfAllVersions makes a directory with a copy of the demo chart for each version.
func chartsOfAllVersions(w *world) string {
	w.Helper()
	dir := w.TempDir()
	for _, version := range chartVersions {
		chart := filepath.Join(dir, version)
		w.must(os.CopyFS(chart, os.DirFS("../../testdata/charts/demo-app")))
		text, err := os.ReadFile(filepath.Join(chart, "Chart.yaml"))
		w.must(err)
		text = []byte(strings.Replace(string(text), "version: 1.2.0", "version: "+version, 1))
		w.must(os.WriteFile(filepath.Join(chart, "Chart.yaml"), text, 0o600))
	}
	return dir
}

// serve listens, after the first call always at the same address.
func (r *repository) serve() error {
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.address = listener.Addr().String()
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	server := r.server
	go func() { _ = server.Serve(listener) }()
	return nil
}

func (r *repository) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	fault, whole := r.fault, r.whole
	r.mu.Unlock()
	switch fault {
	case unavailable:
		http.Error(w, "try again later", http.StatusServiceUnavailable)
		return
	case slow:
		select {
		case <-whole:
		case <-request.Context().Done():
			return
		}
	}
	r.charts.ServeHTTP(w, request)
}

// fail breaks the repository for some time and returns at once; away is done at the end.
func (r *repository) fail(away *sync.WaitGroup, f fault) {
	away.Wait()
	whole := make(chan struct{})
	r.mu.Lock()
	r.fault, r.whole = f.Kind, whole
	r.mu.Unlock()
	if f.Kind == refusing {
		_ = r.server.Close()
	}
	away.Go(func() {
		time.Sleep(f.For)
		r.mu.Lock()
		r.fault = ""
		r.mu.Unlock()
		close(whole)
		for f.Kind == refusing && r.serve() != nil { // a client may be using the port for a moment
			time.Sleep(50 * time.Millisecond)
		}
	})
}
